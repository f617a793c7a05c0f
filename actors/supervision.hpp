#pragma once
// Which handler actor starts or stops now. The rules are those of Erlang/OTP's `supervisor`
// (strategies, restart kinds, restart intensity within a period), with four differences made on
// purpose:
//  - Only unproductive restarts are counted: failed starts, hangs, and other exits before an event
//    was completed. A handler that throws on one event in a hundred is never given up on.
//  - Between unproductive restarts there is a back-off; without one a child that fails fast burns
//    its budget at once. The first of a streak is immediate; the n-th waits back_off * 2^(n-2), at
//    most back_off_cap. A productive exit, or `quiet` without a restart, ends the streak.
//    The wait does not age the counted restarts: a period is time spent trying, or the growing
//    back-off would spread the failures so thin that a broken handler is never given up on.
//  - Exceeded intensity quarantines the scope until `resume`. Nothing escalates further.
//  - A stop is the revocation of a generation and takes effect at once: a running function cannot
//  be
//    killed, so it is fenced instead, and there is no waiting for a shutdown.
//
// A child, until `remove_child`:
//
//     add_child --> waiting --start--> running --exit, starts again--> waiting
//                    ^   ^               | |
//         resume     |   +--- sibling ---+ +--exit, does not start again--> ended
//                    |     (strategy)    |                                   |
//                    +----- held <-------+-- quarantine, stop_all            |
//                    ^ a transient child comes back with its siblings (OTP) -+
//
// A scope:
//
//     running <--deadline-- backing_off            quarantined --resume--> running
//        |  ---unproductive--->  |                      ^
//        +-----------------------+--intensity exceeded--+        any --stop_all--> stopped
//
// Not thread-safe; `now` never steps back. Effects are appended to `out` and must be carried out in
// order. After any call, ask `next_deadline` again.

#include "actors/options.hpp"
#include "schemas/error.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace edupulse {

/// How a handler actor ended, as the router saw it: it quit by itself; it was asked to; the handler
/// threw; it was killed from outside; an attempt ran past its time limit (the thread may still be
/// stuck); its factory threw.
enum class exit_kind : std::uint8_t { normal, shutdown, error, kill, hang, failed_start };

std::string_view to_string(exit_kind why) noexcept;

class supervision {
public:
  /// Child ids are never used again, so that late news of an old child never meets a new one; a
  /// scope id is, after `remove_scope`.
  using child_id = std::uint32_t;
  using scope_id = std::uint32_t;

  // -- effects ------------------------------------------------------------------
  /// Make a new actor now.
  struct start {
    child_id child;
    std::uint32_t generation;
  };
  /// Revoke this generation: stopped by its scope's strategy, by quarantine, or removed.
  struct stop {
    child_id child;
    std::uint32_t generation;
  };
  /// The scope used up its restarts. The stops of its children came before.
  struct quarantined {
    scope_id scope;
    std::string why;
  };
  /// The starts of its children follow.
  struct resumed {
    scope_id scope;
  };
  /// Will not start again by itself. Only a transient child that ended well may come back, together
  /// with its siblings (one_for_all, rest_for_one); remove it to prevent that.
  struct ended {
    child_id child;
  };
  /// The next start of this child (and of siblings that wait for it) is not before `until`.
  struct backing_off {
    child_id child;
    time_point until;
  };
  using effect = std::variant<start, stop, quarantined, resumed, ended, backing_off>;
  using effects = std::vector<effect>;

  // -- what changes it ----------------------------------------------------------
  /// The same name with the same options gives the same scope. Errors: `duplicate_name` when the
  /// options differ; `invalid_option`, naming the option and its limits.
  expected<scope_id> add_scope(std::string name, scope_options options);
  /// Those of `to` but for the strategy: children that run now may be out of another one's order.
  /// What was counted against the old limits is forgotten. Errors: `invalid_option`.
  expected<void> change_limits(scope_id which, scope_options to);
  void change_restart(child_id who, restart_kind to) { children_.at(who).restart = to; }
  /// The scope must have no children left.
  void remove_scope(scope_id which);

  /// Declares and starts a child, last in its scope's order; in a scope that is quarantined, or
  /// that waits for an earlier sibling, it is started when the scope is.
  child_id add_child(scope_id where, restart_kind restart, time_point now, effects& out);
  /// Starts a running child anew, counted against nobody: its code was exchanged.
  void renew(child_id who, time_point now, effects& out);
  /// Siblings are not touched. Honoured at once in every state.
  void remove_child(child_id who, effects& out);

  /// `productive`: this generation completed at least one event. An exit of a generation that is
  /// not the running one is ignored.
  void on_exit(child_id who, std::uint32_t generation, exit_kind why, bool productive,
               time_point now, effects& out);
  void on_start_failed(child_id who, std::uint32_t generation, time_point now, effects& out) {
    on_exit(who, generation, exit_kind::failed_start, false, now, out);
  }
  /// Quarantines the scope of a child whose actor is gone or given up on, whatever its restarts.
  /// `why` is followed by how to go on.
  void hold(child_id who, std::string_view why, effects& out);
  /// Ends a quarantine: forgets the counted restarts and back-offs, starts the children in order.
  /// In any other state it does nothing.
  void resume(scope_id which, time_point now, effects& out);
  void on_wake(time_point now, effects& out);
  /// The last: stops everything in reverse order; nothing starts afterwards.
  void stop_all(effects& out);

  // -- what reads it ------------------------------------------------------------
  /// Call `on_wake` at that time. May be in the past after `remove_child`.
  std::optional<time_point> next_deadline() const;

  enum class scope_state : std::uint8_t { running, backing_off, quarantined, stopped };
  enum class child_state : std::uint8_t { removed, waiting, running, ended, held };
  struct child_status {
    scope_id scope;
    std::uint32_t generation; ///< of the latest start; 0 before the first
    child_state state;
    std::uint32_t restarts; ///< starts after the first
    bool is_running() const noexcept { return state == child_state::running; }
  };
  struct scope_counts {
    std::uint64_t restarts = 0;     ///< exits that led to one: one each in every strategy
    std::uint64_t unproductive = 0; ///< exits counted against intensity
    std::uint64_t quarantines = 0;
  };

  std::optional<scope_id> find_scope(std::string_view name) const;
  const std::string& name(scope_id which) const { return scopes_[which].name; }
  const scope_options& options(scope_id which) const { return scopes_[which].options; }
  scope_state state(scope_id which) const;
  const scope_counts& counts(scope_id which) const { return scopes_[which].counts; }
  /// In order of declaration.
  const std::vector<child_id>& children(scope_id which) const { return scopes_[which].order; }
  /// Of a child that is gone: all zero, `removed`.
  child_status status(child_id who) const;
  /// True when this is the running generation of the child: only then its results count.
  bool is_current(child_id who, std::uint32_t generation) const noexcept;
  /// Asserts the invariants. Linear in the number of children; for debug builds and tests.
  void check() const;

private:
  struct child {
    scope_id scope = 0;
    restart_kind restart = restart_kind::permanent;
    child_state state = child_state::removed;
    bool failed = false; // the next start is one after an unproductive exit
    std::uint32_t generation = 0;
    std::uint32_t streak = 0; // unproductive restarts in a row
    time_point not_before{};  // while waiting
    time_point quiet_since{}; // the latest start after an unproductive exit
  };
  struct scope {
    std::string name; // empty: the slot is free
    scope_options options;
    scope_counts counts;
    std::vector<child_id> order;
    std::size_t waiting = 0;         // children in state waiting
    std::vector<time_point> counted; // at most intensity + 1
    bool quarantined = false;
    std::optional<time_point> wake; // its entry in wakes_
  };

  void set_state(child& who, child_state to);
  void start_child(child_id id, child& who, time_point now, effects& out);
  void stop_child(child_id id, child& who, child_state to, effects& out);
  bool intensity_exceeded(scope& where, time_point now);
  void quarantine(scope_id which, child_id who, std::string_view why, effects& out);
  duration delay_before_restart(child& who, bool unproductive, time_point now);
  void stop_siblings(child_id failed, time_point until, effects& out);
  void restart(child_id failed, time_point until, time_point now, effects& out);
  void start_due(scope_id which, time_point now, effects& out);
  void arm(scope_id which);

  std::unordered_map<child_id, child> children_;
  child_id next_child_ = 0;
  std::vector<scope> scopes_;
  std::vector<scope_id> free_scopes_;
  std::map<std::string, scope_id, std::less<>> names_;
  std::set<std::pair<time_point, scope_id>> wakes_;
  bool stopped_ = false;
};

/// One line, as in traces and logs: `start child=2 generation=5`. Times in milliseconds.
std::string to_string(const supervision::effect& what);
std::string_view to_string(supervision::scope_state state) noexcept;

} // namespace edupulse
