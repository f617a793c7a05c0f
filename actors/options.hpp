#pragma once
// Every option of a subscription and of a supervision scope. A field says what goes wrong at either
// end; the defaults are meant to be kept.

#include "schemas/envelope.hpp"
#include "schemas/error.hpp"
#include <cstddef>
#include <cstdint>
#include <string>

namespace edupulse {

/// In which order one subscription sees events.
enum class event_order : std::uint8_t {
  /// Events with a key strictly per key, retries included. Events without a key start in publish
  /// order and a retrying one steps aside.
  keyed,
  /// The whole subscription is one line: nothing overtakes a retrying event. `concurrency` must
  /// be 1.
  strict,
};

/// What happens to events for a subscription whose backlog is full.
enum class overload_policy : std::uint8_t {
  /// `publish` waits, to its deadline, while the subscription makes progress. Once it has made none
  /// for `stall_after`, it alone misses events, counted `shed_stalled` and reported to it as a gap.
  wait,
  /// `publish` waits for as long as it lasts. A stopped handler stops its publishers.
  strict,
  /// `publish` never waits for this subscription; what does not fit is dropped and counted.
  drop_newest,
  /// As above, but the oldest waiting event makes room.
  drop_oldest,
  /// As above, but of the waiting events of one key only the newest stays; where that makes too
  /// little room, the oldest make some. For events that say how things are, not what changed.
  latest_per_key,
};

/// Where the handler's code runs.
enum class execution_place : std::uint8_t {
  /// `own_thread` for classes that say `static constexpr bool blocks = true`, else `shared`.
  automatic,
  /// On the node's worker threads. For code that computes and returns: while it waits for
  /// something,
  /// one worker less serves everybody else. Once calls past their time limits hold all of them, the
  /// other handlers are started anew on threads of their own.
  shared,
  /// On a thread of its own. For code that blocks: databases, HTTP, files.
  own_thread,
  /// On the router's thread, between two events of everybody else. For code of well under a
  /// microsecond; anything slower delays every subscription of the node, and a handler that never
  /// returns stops the node.
  inlined,
};

/// OTP's restart kinds: what happens when the handler actor ends by itself.
enum class restart_kind : std::uint8_t {
  permanent, ///< always started again
  transient, ///< started again unless it ended normally or by shutdown
  temporary, ///< never started again; its subscription ends
};

/// What happens to the events of a quarantined subscription.
enum class quarantine_policy : std::uint8_t { wait, dead_letter };

/// What a key does after one of its events was given up on.
enum class after_dead_letter : std::uint8_t {
  next,      ///< go on with the key's next event
  pause_key, ///< hold the key's later events until the dead letter is redriven or discarded
};

struct retry_options {
  /// Upper end of the first wait. The wait before retry n is drawn evenly from
  /// [0, min(cap, first * factor^(n-1))] ("full jitter", so that failures spread out).
  duration first = std::chrono::milliseconds(100);
  double factor = 2.0;
  duration cap = std::chrono::seconds(5);
  /// Counted from the first failure, without time spent paused by `unavailable`. Too short: a
  /// restart of a database makes dead letters. Too long: a poison event holds its key that long.
  duration give_up_after = std::chrono::seconds(30);
  /// Crashes (throws, time-outs, kills) of one event before it is given up on.
  std::uint32_t max_crashes = 5;

  friend bool operator==(const retry_options&, const retry_options&) = default;
};

struct subscription_options {
  event_order order = event_order::keyed;
  /// Handler actors of this subscription; the same key always goes to the same one. 1 to 1,024.
  std::uint32_t concurrency = 1;
  /// Events handed to one handler actor and not yet answered; a deferral is no answer. Too small: a
  /// round trip per event. Too large: more to hand out again after a crash. 1 to 65,536.
  std::uint32_t window = 1024;
  /// Events and bytes this subscription may be owed before `overload` speaks.
  std::size_t backlog_events = 8192;
  std::size_t backlog_bytes = 4u << 20;
  overload_policy overload = overload_policy::wait;
  duration stall_after = std::chrono::seconds(2);
  retry_options retry{};
  /// For one attempt of one event, deferrals included. A handler past it is fenced and replaced.
  duration time_limit = std::chrono::seconds(30);
  execution_place execution = execution_place::automatic;
  restart_kind restart = restart_kind::permanent;
  quarantine_policy quarantine = quarantine_policy::wait;
  after_dead_letter dead = after_dead_letter::next;
  /// The supervision scope it belongs to. Empty: a scope of its own, named after the subscription.
  std::string scope{};
  /// All subscriptions of the cluster with this group share the events, and each event goes to one
  /// of them: the same key to the same one, events without a key to the least loaded. A member that
  /// ends leaves what it had not handled to the others, which may then see an event that it was in
  /// the middle of, with its attempts counted anew. They must have one filter, `order`, `overload`,
  /// `stall_after` and backlog. 1 to 255 bytes. Empty: alone.
  std::string group{};
};

/// Errors: `invalid_option`, naming the option, its value and its limits.
expected<void> check_options(const subscription_options& options);

/// Which siblings of a scope start again when one child ends.
enum class restart_strategy : std::uint8_t { one_for_one, one_for_all, rest_for_one };

struct scope_options {
  restart_strategy strategy = restart_strategy::one_for_one;
  /// Unproductive restarts allowed within `period`; one more quarantines the scope. A restart is
  /// unproductive when no event was completed since the one before.
  std::uint32_t intensity = 10;
  duration period = std::chrono::seconds(10);
  /// The first unproductive restart in a row is immediate; the n-th waits back_off * 2^(n-2), at
  /// most back_off_cap. Waiting does not age the restarts that `intensity` counts.
  duration back_off = std::chrono::milliseconds(50);
  duration back_off_cap = std::chrono::seconds(5);
  /// After this long without a restart the back-off begins anew.
  duration quiet = std::chrono::seconds(10);

  friend bool operator==(const scope_options&, const scope_options&) = default;
};

} // namespace edupulse
