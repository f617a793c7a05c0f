#pragma once
// Tests of the tests. Each of these mistakes stands in the code behind its name, one that somebody
// might make, and `./dev bugs` shows which test catches it; what no test catches, no test protects.
// They are in a build of their own (EDUPULSE_PLANTED_BUGS, see docs/testing.md), which makes the
// one that the environment names. Everywhere else `planted` is a constant false.

#include <cstddef>
#include <string_view>

namespace edupulse {

struct planted_bug {
  std::string_view name;
  std::string_view what;
};

inline constexpr planted_bug planted_bugs[] = {
    // handlers and their answers
    {"ack_before_handler", "what a peer sent counts as handled when it arrives"},
    {"retry_taken_for_done", "an event whose handler asks for a retry is done with"},
    {"order_broken_by_retry",
     "later events of a key are handled while the first waits for a retry"},
    {"retry_without_jitter", "all that failed together are tried again together"},
    {"unavailable_spends_time", "the time of an outage counts as time of the event's retries"},
    {"breaker_never_closes", "a probe that succeeds leaves the subscription paused"},
    {"expiry_ignored", "events are handled after their time"},
    {"published_in_spite_of_failure", "what a call published leaves though the call failed"},
    {"dead_letter_lost", "an event is given up and no dead letter is written"},
    {"receipt_settled_twice", "a redriven event is told to its receipt a second time"},
    {"returned_overtaken", "what an unavailable handler gave back is overtaken by what waited"},
    {"early_answer_lost", "a deferral that is completed before the batch ends is not believed"},
    {"deferrals_without_bound", "a handler that defers is given events without end"},
    {"stopped_handler_goes_on", "a handler that was stopped works on the rest of its batch"},
    {"outbox_of_failure_leaves_later",
     "what a failed call published leaves with the next that succeeds"},

    // too much to do
    {"backlog_bound_ignored", "a subscription is owed more than its backlog allows"},
    {"latest_per_key_keeps_oldest", "of the events of a key the oldest one is kept"},
    {"drop_not_counted", "an event that is dropped is in no line of the ledger"},
    {"gap_not_told", "a subscription is not told of the events that it was not given"},
    {"shed_without_telling", "a subscription on another node is not told what it was not sent"},
    {"gap_lost_in_crash", "a gap that a crash came before is not told again"},
    {"progress_within_batch_ignored", "a handler is slow, and so it counts as standing still"},
    {"budget_never_released", "what was kept for a peer is never free again"},
    {"budget_released_twice", "what was kept for a peer is given back twice"},

    // supervision
    {"rest_for_one_restarts_all", "a restart takes the earlier siblings along, too"},
    {"back_off_without_cap", "the wait between restarts grows beyond its cap"},
    {"quarantine_never_entered", "a handler that only fails is started without end"},
    {"quarantine_never_lifted", "a scope that is resumed hands out no events"},
    {"siblings_start_together", "a child is started before the one it depends on is up"},
    {"two_lives_at_once", "a handler is started while the one before it finishes its call"},

    // links
    {"window_off_by_one", "one event more than the window is sent"},
    {"repeats_taken_again", "what is sent again after a cut is handled again"},
    {"resent_from_wrong_number", "after a cut the first event that is missing is not sent again"},
    {"credit_lost_at_restart", "what was on its way to a peer's earlier start is never credited"},
    {"start_number_reused", "conclusions for an earlier start of a peer reach the present one"},
    {"expiry_lost_on_the_way", "an event that travels lives for ever"},
    {"gap_lost_with_session", "a gap that a session lost is not told in the next"},
    {"best_effort_sent_again", "a best-effort event that may have been handled goes to another"},
    {"controls_without_bound", "what a peer does not confirm is kept without end"},
    {"withdrawn_forgotten_early", "an ended subscription is forgotten before its last conclusions"},
    {"expiry_of_neighbour", "an event travels with the time and the level of the one before it"},
    {"gap_lost_at_restart", "a gap that a peer's earlier start was told is not told the next"},
    {"expired_buried", "what has expired when a peer is given up becomes a dead letter"},
    {"drain_forgets_peers", "a node stops when its own handlers are done"},

    // groups
    {"group_member_chosen_twice", "an event of two groups reaches a member on another node twice"},
    {"group_key_wanders", "a key goes to a new member while its events are on their way"},

    // membership
    {"suspicion_without_refutation", "a member that is suspected does not contradict"},
    {"pause_not_compensated", "whoever was stopped for a while declares the others dead"},
    {"probe_without_relays", "a member is suspected without others having been asked"},
    {"tombstones_forgotten", "those who died are forgotten within a minute"},
    {"goodbye_ignored", "a member that leaves is taken for one that is silent"},
    {"name_conflict_ignored", "two nodes may have one name"},
    {"earlier_start_accepted", "an earlier start of a node takes the place of the later one"},
    {"own_health_ignored", "a node that is slow itself judges others as fast as ever"},

    // connections
    {"settings_mismatch_accepted", "nodes whose settings differ are members of one cluster"},
    {"both_keep_their_session", "when both dial at once, each keeps the session that it dialled"},

    // bytes from outside
    {"frame_limit_ignored", "a frame may be of any length"},
    {"metadata_limit_ignored", "an event may have any amount of metadata"},
};

/// One of them, by its name. A name that is not in the table does not compile.
class bug {
public:
  consteval bug(const char* name) : number_(number_of(name)) {}
  constexpr std::size_t number() const noexcept { return number_; }
  /// From 1 on; 0 when there is none of that name.
  static constexpr std::size_t find(std::string_view name) noexcept {
    for (std::size_t i = 0; i < std::size(planted_bugs); ++i)
      if (planted_bugs[i].name == name)
        return i + 1;
    return 0;
  }

private:
  static consteval std::size_t number_of(std::string_view name) {
    return find(name) != 0 ? find(name) : throw "it is not in `planted_bugs`";
  }
  std::size_t number_;
};

#ifdef EDUPULSE_PLANTED_BUGS
/// The number of the one at work, 0 for none: tests/support/planted.cpp.
extern const std::size_t bug_at_work;
inline bool planted(bug which) noexcept { return which.number() == bug_at_work; }
#else
constexpr bool planted(bug) noexcept { return false; }
#endif

} // namespace edupulse
