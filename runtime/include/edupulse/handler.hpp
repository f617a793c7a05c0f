#pragma once
// Handlers, in rising order of power: a lambda; a class with state, made anew by a factory at each
// start; a CAF behavior (<edupulse/caf.hpp>). All become a `handler_factory` here.

#include "actors/handler.hpp"
#include "actors/options.hpp"
#include "actors/outcome.hpp"
#include "schemas/codec.hpp"
#include "schemas/typed_event.hpp"
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace edupulse {

namespace detail {

/// Calls `f` with what it accepts; a handler that returns nothing is content.
template <class F, class Event> outcome call_handler(F& f, const Event& event, context& ctx) {
  auto call = [&]() -> decltype(auto) {
    if constexpr (std::is_invocable_v<F&, Event, context&>)
      return f(event, ctx);
    else
      return f(event);
  };
  static_assert(std::is_invocable_v<F&, Event, context&> || std::is_invocable_v<F&, Event>,
                "a handler takes (T::Reader) or (T::Reader, const edupulse::event_info&) or "
                "(T::Reader, edupulse::context&) and returns void or edupulse::outcome");
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    return outcome::ok();
  } else {
    return call();
  }
}

/// Opens the payload for `f`. What Cap'n Proto finds wrong with the payload is that event's fault.
template <class T, class F> outcome open_and_call(F& f, const envelope& event, context& ctx) {
  payload_reader reader(event);
  auto payload = open<T>(event, reader);
  if (!payload)
    return outcome::reject(payload.error().text);
  return call_handler(f, *payload, ctx);
}

template <class T, class F> class function_handler final : public handler {
public:
  explicit function_handler(F f) : f_(std::move(f)) {}
  outcome handle(const envelope& event, context& ctx) override {
    if constexpr (std::is_void_v<T>)
      return call_handler(f_, event, ctx);
    else
      return open_and_call<T>(f_, event, ctx);
  }

private:
  F f_;
};

template <class H>
concept has_end_of_batch = requires(H& h) {
  h.end_of_batch();
};

/// A class with `handle(T::Reader, context&)` or fewer arguments, and maybe `end_of_batch()`.
template <class T, class H> class class_handler final : public handler {
public:
  explicit class_handler(std::unique_ptr<H> what) : what_(std::move(what)) {}
  outcome handle(const envelope& event, context& ctx) override {
    auto call = [this](const auto& payload, context& c) {
      if constexpr (requires { what_->handle(payload, c); })
        return what_->handle(payload, c);
      else
        return what_->handle(payload);
    };
    return open_and_call<T>(call, event, ctx);
  }
  void end_of_batch() override {
    if constexpr (has_end_of_batch<H>)
      what_->end_of_batch();
  }
  auto& object() noexcept { return *what_; }
  const auto& object() const noexcept { return *what_; }

private:
  std::unique_ptr<H> what_;
};

template <class F>
concept makes_object = requires(F& f) {
  *f();
}
&&std::is_invocable_v<F&>;

template <class F> using made_by = std::remove_cvref_t<decltype(*std::declval<F&>()())>;

template <class H>
concept says_it_blocks = requires {
  requires H::blocks;
};

} // namespace detail

/// What `subscribe` keeps of a handler.
struct handler_recipe {
  handler_factory make;
  bool blocks = false; ///< the class says `static constexpr bool blocks = true`
};

/// `T` is the event struct, or `void` for handlers of any event, which take `const envelope&`.
/// `f`: a function object, copied at each start; or a callable without arguments that returns a
/// `std::unique_ptr` to a class with `handle` (a factory, called at each start).
template <class T, class F> handler_recipe make_recipe(F f) {
  if constexpr (detail::makes_object<F>) {
    using H = detail::made_by<F>;
    handler_recipe recipe;
    recipe.blocks = detail::says_it_blocks<H>;
    if constexpr (std::derived_from<H, handler>)
      recipe.make = [f]() mutable -> std::unique_ptr<handler> { return f(); };
    else
      recipe.make = [f]() mutable -> std::unique_ptr<handler> {
        return std::make_unique<detail::class_handler<T, H>>(f());
      };
    return recipe;
  } else {
    return {[f]() -> std::unique_ptr<handler> {
              return std::make_unique<detail::function_handler<T, F>>(f);
            },
            false};
  }
}

} // namespace edupulse
