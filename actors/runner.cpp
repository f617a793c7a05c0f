// The path of an event, stop 5 of 5. Before: actors/delivery.cpp. Next: actors/handler.hpp.

#include "actors/runner.hpp"
#include "schemas/codec.hpp"
#include "schemas/planted.hpp"
#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <typeinfo>

namespace edupulse {

namespace {

thread_local runtime_role role_here = runtime_role::none;

/// Events one call may buffer, and their bytes: more is answered with back_pressure.
constexpr std::size_t outbox_events_max = 1024;
constexpr std::size_t outbox_bytes_max = 4u << 20;

std::string readable_name(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 && name ? std::string(name.get()) : std::string(type.name());
}

/// What is being thrown, as type and text. Call inside a catch block.
std::pair<std::string, std::string> describe_current_exception() {
  try {
    throw;
  } catch (const std::exception& what) {
    return {readable_name(typeid(what)), what.what()};
  } catch (...) {
    const auto* type = abi::__cxa_current_exception_type();
    return {type != nullptr ? readable_name(*type) : "unknown", "not a std::exception"};
  }
}

} // namespace

runtime_role current_role() noexcept { return role_here; }
runtime_thread_mark::runtime_thread_mark(runtime_role role) noexcept : before_(role_here) {
  if (role > role_here)
    role_here = role;
}
runtime_thread_mark::~runtime_thread_mark() { role_here = before_; }

// -- one call ---------------------------------------------------------------------------

class runner::call final : public context {
public:
  explicit call(const runner_surroundings& around) : around_(around) {
    subscription_ = around.subscription;
  }

  void prepare(const envelope& event, std::uint64_t seq, std::uint32_t attempt,
               std::uint64_t gap) noexcept {
    event_ = &event;
    seq_ = seq;
    attempt_ = attempt;
    gap_ = gap;
  }

  expected<event_id> publish_event(const event_type& type,
                                   const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                   std::string_view subject, std::string_view key) override {
    const auto cause = to_string(event_->id());
    const auto given = event_->meta("correlation-id");
    std::vector<std::pair<std::string_view, std::string_view>> meta{
        {"causation-id", cause}, {"correlation-id", given.empty() ? cause : given}};
    for (const std::string_view name : {"tenant", "traceparent", "tracestate"})
      if (const auto value = event_->meta(name); !value.empty())
        meta.emplace_back(name, value);
    auto made = around_.port->make(type, fill, subject, key, meta);
    if (!made)
      return tl::unexpected<error>(made.error());
    if (auto good = around_.port->may_publish(**made); !good)
      return tl::unexpected<error>(good.error());
    bytes_ += (*made)->footprint();
    if (outbox.size() >= outbox_events_max || bytes_ > outbox_bytes_max)
      return fail(errc::back_pressure,
                  "this call has buffered as many events as one call may: handle less per event");
    const auto id = (*made)->id();
    outbox.push_back(std::move(*made));
    return id;
  }

  deferral defer() override {
    return {around_.completions, envelope_ptr::share(*event_), seq_, attempt_};
  }

  void clear_outbox() noexcept {
    outbox.clear();
    bytes_ = 0;
  }

  std::vector<envelope_ptr> outbox;

private:
  const runner_surroundings& around_;
  std::uint64_t seq_ = 0;
  std::size_t bytes_ = 0;
};

// -- a life -------------------------------------------------------------------------------

runner::runner(std::shared_ptr<const runner_surroundings> around,
               std::shared_ptr<handler_control> control)
    : around_(std::move(around)), control_(std::move(control)) {}

runner::~runner() {
  runtime_thread_mark mark(
      runtime_role::handler); // the user's destructor may publish: it must not wait
  handler_.reset();
}

std::optional<std::string> runner::start(std::uint32_t lane) {
  runtime_thread_mark mark(runtime_role::handler);
  try {
    handler_ = around_->make();
    if (!handler_)
      return "its factory made no handler";
    handler_->begin(lane);
    return std::nullopt;
  } catch (...) {
    auto [type, text] = describe_current_exception();
    return "its factory threw " + type + ": " + text;
  }
}

runner::ending runner::run(batch& work) {
  runtime_thread_mark mark(runtime_role::handler);
  call ctx(*around_);
  if (work.probe)
    suspended_ = false;
  for (const auto key : work.freed_keys)
    blocked_.erase(key);
  const auto size = work.size();
  for (std::uint32_t i = 0; i < size; ++i) {
    if (control_->revoked.load(std::memory_order_relaxed) && !planted("stopped_handler_goes_on"))
      return end_batch(work, i, ending::revoked);
    if (i + 2 < size)
      work.event(i + 2)->prefetch();
    const auto& event = *work.event(i);
    if ((suspended_ || !blocked_.empty() || event.expires_at() != time_point::max()) &&
        steps_aside(work, i))
      continue;
    work.begin(i);
    ctx.prepare(event, work.seq(i), work.attempt(i), work.gap(i));
    try {
      outcome said = handler_->handle(event, ctx);
      if (said.is_ok() && ctx.outbox.empty())
        continue;
      if (settle(work, i, ctx, std::move(said)) == ending::revoked)
        return ending::revoked;
    } catch (...) {
      if (auto unreadable = payload_fault(std::current_exception())) {
        // Nobody can read this event, ever: its own fault, not the handler's.
        if (settle(work, i, ctx, outcome::reject(std::move(unreadable->text))) == ending::revoked)
          return ending::revoked;
        continue;
      }
      auto [type, text] = describe_current_exception();
      return crash(work, i, std::move(type), std::move(text));
    }
  }
  return end_batch(work, size, ending::done);
}

/// Also when it was stopped in the middle: what it gathered from `done` events is sent all the
/// same.
runner::ending runner::end_batch(batch& work, std::uint32_t done, ending how) {
  try {
    if (done > 0)
      handler_->end_of_batch();
  } catch (...) {
    auto [type, text] = describe_current_exception();
    control_->why_it_ended = "end_of_batch threw " + type + ": " + text;
    how = ending::crashed;
  }
  work.halt(done);
  return how;
}

/// What came of a call that was not a plain ok.
runner::ending runner::settle(batch& work, std::uint32_t i, call& ctx, outcome&& said) {
  const bool succeeded =
      said.is_ok() || (planted("retry_taken_for_done") && said.what() == outcome::kind::retry);
  if (succeeded || said.what() == outcome::kind::deferred ||
      planted("published_in_spite_of_failure")) {
    const bool open = work.unless_closed([&] {
      if (!ctx.outbox.empty())
        around_->port->commit(std::move(ctx.outbox));
    });
    if (!open)
      return ending::revoked; // given up on as stuck: another life handles this event
  }
  if (!planted("outbox_of_failure_leaves_later"))
    ctx.clear_outbox();
  if (succeeded)
    return ending::done;
  if (said.what() == outcome::kind::unavailable)
    suspended_ = true;
  else
    block(work.event(i).operator*());
  work.note({i, exception_note::kind::answered, std::move(said)});
  return ending::done;
}

runner::ending runner::crash(batch& work, std::uint32_t i, std::string type, std::string text) {
  control_->why_it_ended = "it threw " + type + ": " + text;
  work.note({i, exception_note::kind::answered, outcome::crash(std::move(type), std::move(text))});
  return ending::crashed;
}

/// The slow half of `run`: true when the event is noted and must not be handled now.
bool runner::steps_aside(batch& work, std::uint32_t i) {
  const auto& event = *work.event(i);
  if (suspended_) {
    work.note({i, exception_note::kind::returned, outcome::ok()});
    return true;
  }
  const auto key = key_of(event);
  if (const auto held = blocked_.find(key); key != 0 && held != blocked_.end()) {
    if (!work.opens_key(i)) {
      work.note({i, exception_note::kind::stepped_aside, outcome::ok()});
      return true;
    }
    blocked_.erase(held);
  }
  if (event.expires_at() != time_point::max() && event.expires_at() <= around_->port->now() &&
      !planted("expiry_ignored")) {
    work.note({i, exception_note::kind::expired, outcome::ok()});
    return true;
  }
  return false;
}

void runner::block(const envelope& event) {
  const auto key = key_of(event);
  if (key != 0 && !planted("order_broken_by_retry"))
    blocked_.insert(key);
}

} // namespace edupulse
