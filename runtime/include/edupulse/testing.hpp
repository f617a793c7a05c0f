#pragma once
// A bus in virtual time, for people who write handlers. One thread, no sleeps, no sockets: the same
// router and the same handler code as a node, and a clock that moves when the test says so.
//
//   edupulse::testing::bus bus;
//   bus.subscribe<LessonPublished>("indexer", index_lesson);
//   bus.fail_next("indexer", 3);                       // three crashes, then it goes on
//   bus.publish<LessonPublished>([](auto l) { l.setLessonId("42"); });
//   bus.advance(10s);                                  // retries happen in here
//   CHECK(bus.handled("indexer") == 1);
//
// Works with any test framework: what goes wrong is told in return values. Not thread-safe, but for
// deferrals, which may be completed from any thread and are taken in by the next `run` or
// `advance`.

#include "actors/dead_letters.hpp"
#include "actors/ledger_view.hpp"
#include "actors/status.hpp"
#include "actors/tracker.hpp"
#include "schemas/topic.hpp"
#include <edupulse/event.hpp>
#include <edupulse/handler.hpp>
#include <edupulse/node.hpp>
#include <edupulse/options.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::testing {

class bus_impl;

class bus {
public:
  struct settings {
    std::string name = "test";
    std::uint64_t seed = 1; ///< of back-off; the same seed gives the same run
    std::size_t max_event_bytes = 1u << 20;
  };
  bus();
  explicit bus(settings how);
  ~bus();
  bus(const bus&) = delete;
  bus& operator=(const bus&) = delete;

  // -- as on a node -------------------------------------------------------------------
  /// Admitted at once, and run before it returns. Errors: as on a node; nothing waits, so a full
  /// backlog is `back_pressure`.
  template <class T, class Fill>
  expected<receipt> publish(Fill&& fill, const publish_options& options = {}) {
    require_event<T>();
    envelope_writer writer(event_traits<T>::type());
    auto payload = writer.payload().template initAs<T>();
    std::forward<Fill>(fill)(payload);
    if constexpr (event_traits<T>::has_key)
      if (options.key.empty()) {
        const auto key = event_traits<T>::key(payload.asReader());
        return finish_publish(writer, key, options);
      }
    return finish_publish(writer, options.key, options);
  }
  template <class T, class F>
  expected<void> subscribe(std::string name, F handler, subscription_options options = {}) {
    require_event<T>();
    return add(std::move(name), topic_filter::name_and_below(event_traits<T>::name),
               make_recipe<T>(std::move(handler)), std::move(options));
  }
  template <class F> expected<void> subscribe(std::string_view filter, std::string name, F handler,
                                              subscription_options options = {}) {
    return add(std::move(name), topic_filter::parse(filter), make_recipe<void>(std::move(handler)),
               std::move(options));
  }
  expected<void> subscribe_recipe(std::string_view filter, std::string name, handler_recipe recipe,
                                  subscription_options options = {}) {
    return add(std::move(name), topic_filter::parse(filter), std::move(recipe), std::move(options));
  }
  /// An event made elsewhere, as it is: with its own id and time.
  expected<void> publish(envelope_ptr event);
  expected<void> scope(std::string name, scope_options options);
  expected<void> unsubscribe(std::string_view name);
  expected<void> pause(std::string_view name);
  expected<void> resume(std::string_view name);
  expected<void> attach_mirror(std::string name, std::string_view filter, transport_ptr to,
                               subscription_options options = {});
  expected<void> swap_mirror(std::string_view name, transport_ptr to);
  expected<void> redrive(std::uint64_t letter);
  expected<void> discard(std::uint64_t letter);

  // -- time ---------------------------------------------------------------------------
  /// Lets virtual time pass; everything that becomes due happens, in order. The clock begins at an
  /// arbitrary point and never moves by itself.
  void advance(duration by);
  /// Handles what can be handled now, until nothing moves. Publishing does this by itself, unless
  /// `hold` is on.
  void run();
  /// While held, handlers do not run, and publishing alone routes nothing: publish several events
  /// and have them taken as one batch.
  void hold(bool on);
  time_point now() const;

  // -- faults -------------------------------------------------------------------------
  /// The next `n` calls of that subscription throw instead of running.
  void fail_next(std::string_view subscription, std::size_t n);
  /// The next `n` calls answer `what` instead of running.
  void answer_next(std::string_view subscription, std::size_t n, outcome what);
  /// Ends its handler from outside, as a kill would: before the next event of a batch.
  void kill(std::string_view subscription);

  // -- looking ------------------------------------------------------------------------
  /// Everything that was published by handlers (not by the test), in order.
  const std::vector<envelope_ptr>& published_by_handlers() const;
  /// The first event of type `T` that a handler published since the last call, if there is one.
  template <class T> std::optional<event_view<T>> expect_published() {
    if (auto event = take_published(event_traits<T>::name))
      if (auto view = from_event<T>(std::move(event)))
        return std::move(*view);
    return std::nullopt;
  }
  /// The newest dead letter of the subscription whose reason or last error contains `text`.
  std::optional<dead_letter> expect_dead_letter(std::string_view subscription,
                                                std::string_view text = {}) const;
  std::vector<dead_letter> dead_letters() const;
  std::uint64_t handled(std::string_view subscription) const;
  ledger_view ledger() const;
  std::vector<subscription_status> subscriptions() const;
  /// Every message in and effect out, one line each, since the last call.
  std::vector<std::string> take_trace();
  /// Asserts the runtime's own invariants (in builds without NDEBUG).
  void check() const;

private:
  expected<receipt> finish_publish(envelope_writer& writer, std::string_view key,
                                   const publish_options& options);
  expected<void> add(std::string name, expected<topic_filter> filter, handler_recipe recipe,
                     subscription_options options);
  envelope_ptr take_published(std::string_view event_name);

  std::unique_ptr<bus_impl> impl_;
};

/// What a handler did to the world, as text, for `expect_idempotent`.
using observe_effects = std::function<std::string()>;

/// Runs fresh handlers, one for each way in which at-least-once delivery can go, and compares what
/// they did with what the first one did, to which nothing happened: their published events without
/// ids and times, repeats taken as one, and `effects` if it is given. Every event is delivered
/// twice; again after the handler died when its call had succeeded and its events had left; again
/// after it died in its call, right after each publish of it in turn and at its end, so that what
/// it published never left (it throws out of `publish`); after the last one; in another order of
/// keys; and all of that mixed. `make` builds a fresh handler and the world it writes to. Errors:
/// `refused`, naming the first difference, the event and what happened to the handler.
expected<void>
expect_idempotent(const std::function<std::pair<handler_recipe, observe_effects>()>& make,
                  const std::vector<envelope_ptr>& events);

} // namespace edupulse::testing
