#pragma once
// Runs the user's code on a batch. One runner is one life of a handler: it makes the object, feeds
// it event after event, publishes its progress in the batch, keeps keys in order behind a failed
// event, and ends with the first throw. The handler actor, the inline handlers of the router's
// thread and the testing bus all run batches through this class and no other code.

#include "actors/batch.hpp"
#include "actors/handler.hpp"
#include "actors/options.hpp"
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tsl/robin_set.h>
#include <utility>
#include <vector>

namespace edupulse {

/// What a handler's `context` needs of its node. Any handler thread.
class event_port {
public:
  virtual ~event_port() = default;
  using metadata = std::span<const std::pair<std::string_view, std::string_view>>;
  virtual expected<envelope_ptr> make(const event_type& type,
                                      const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                      std::string_view subject, std::string_view key,
                                      metadata meta) = 0;
  /// Errors: `back_pressure`, `stopping`. Never waits.
  virtual expected<void> may_publish(const envelope& event) = 0;
  virtual void commit(std::vector<envelope_ptr>&& events) = 0;
  virtual time_point now() = 0;
};

/// Shared by the runner and the router: how one is told to stop, and says why it ended.
struct handler_control {
  std::atomic<bool> revoked{false};
  std::string why_it_ended; ///< written before the actor ends, read after
};

/// The same for every runner of a subscription.
struct runner_surroundings {
  std::string subscription;
  event_order order = event_order::keyed;
  handler_factory make;
  std::shared_ptr<deferral::sink> completions;
  event_port* port = nullptr; ///< outlives the runners
};

class runner {
public:
  enum class ending : std::uint8_t {
    done,    ///< the batch is over; report it
    revoked, ///< told to stop: report it, and end
    crashed, ///< the handler threw: this life is over
  };

  runner(std::shared_ptr<const runner_surroundings> around,
         std::shared_ptr<handler_control> control);
  ~runner();

  /// Makes the handler of that lane. On a throw: why, and the runner is of no use.
  std::optional<std::string> start(std::uint32_t lane = 0);
  ending run(batch& work);

private:
  class call;
  bool steps_aside(batch& work, std::uint32_t i);
  ending end_batch(batch& work, std::uint32_t done, ending how);
  ending settle(batch& work, std::uint32_t i, call& ctx, outcome&& said);
  void block(const envelope& event);
  std::uint64_t key_of(const envelope& event) const noexcept {
    return around_->order == event_order::strict ? 1 : event.key_hash();
  }
  ending crash(batch& work, std::uint32_t i, std::string type, std::string text);

  std::shared_ptr<const runner_surroundings> around_;
  std::shared_ptr<handler_control> control_;
  std::unique_ptr<handler> handler_;
  /// Keys with an event that has not succeeded. A handler that defers has up to `window` of them.
  tsl::robin_set<std::uint64_t> blocked_;
  bool suspended_ = false; ///< said "unavailable": nothing goes until a probe
};

/// What the current thread is doing for a node. Neither may wait in `publish`; the router must not
/// wait for itself either.
enum class runtime_role : std::uint8_t { none, handler, router };
runtime_role current_role() noexcept;
inline bool on_runtime_thread() noexcept { return current_role() != runtime_role::none; }
inline bool on_router_thread() noexcept { return current_role() == runtime_role::router; }

/// For a scope. A handler that runs inline stays on the router's thread.
class runtime_thread_mark {
public:
  explicit runtime_thread_mark(runtime_role role) noexcept;
  ~runtime_thread_mark();
  runtime_thread_mark(const runtime_thread_mark&) = delete;
  runtime_thread_mark& operator=(const runtime_thread_mark&) = delete;

private:
  runtime_role before_;
};

} // namespace edupulse
