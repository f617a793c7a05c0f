#pragma once
// The path of an event, stop 4 of 5. Before: actors/router.cpp. Next: actors/runner.cpp.
//
// A delivery is what one subscription is owed: which events wait, which are with a handler actor,
// which are being tried again, and when to give up. It hands out batches and reads off what became
// of them. It is a core: fed events, reports and `now`, it appends effects.
//
//     offered -> waiting -> in flight -> handled | dead | expired | dropped
//                  ^            |
//                  +- ready <-- +-- retry (by time), stepped aside, returned, crash
//                               +-- deferred -> handled | retry ...
//
// The usual path costs a few nanoseconds an event: whole slices of a chunk are handed out and
// concluded, and nothing is looked at one by one until something goes wrong.

#include "actors/backlog.hpp"
#include "actors/backoff.hpp"
#include "actors/batch.hpp"
#include "actors/blocked_keys.hpp"
#include "actors/breaker.hpp"
#include "actors/effect.hpp"
#include "actors/groups.hpp"
#include "actors/ledger.hpp"
#include "actors/options.hpp"
#include "actors/origins.hpp"
#include <deque>
#include <map>
#include <string>
#include <tsl/robin_map.h>
#include <unordered_map>
#include <vector>

namespace edupulse {

class delivery {
public:
  struct settings {
    std::uint32_t index;
    std::string name;
    std::string node_name;
    subscription_options options;
    std::uint64_t seed;
    /// Unix milliseconds at `time_point{}`: lets dead letters carry wall times.
    std::int64_t wall_offset_ms;
  };
  delivery(settings how, ledger& book, time_point now);

  // -- events come and go -----------------------------------------------------------
  /// Entries [begin, end) of `from` are owed to this subscription.
  void offer(const chunk_ptr& from, std::uint32_t begin, std::uint32_t end, time_point now,
             effect_list& out);
  /// As above, of events that a peer sent; `events.first_seq` is the peer's number of the first,
  /// `missed` how many it dropped for this subscription just before.
  void offer_from(std::uint32_t peer, const slice& events, std::uint64_t missed, time_point now,
                  effect_list& out);
  /// Hands out what may be handed out. Call once after anything else, at the end of a turn.
  void dispatch(time_point now, effect_list& out);
  /// A batch is over, or its handler was told to stop and has.
  void on_report(const batch_ptr& work, time_point now, effect_list& out);
  /// The token of a deferred event was completed.
  void on_completion(std::uint64_t seq, std::uint32_t attempt, outcome&& what, time_point now,
                     effect_list& out);
  void on_wake(time_point now, effect_list& out);
  /// A dead letter comes back to be tried anew.
  void redrive(dead_letter&& letter, time_point now, effect_list& out);
  /// The head of a paused key was discarded: its line goes on. See after_dead_letter::pause_key.
  void release_key(std::uint64_t key, time_point now);

  // -- handler actors ---------------------------------------------------------------
  void lane_up(std::uint32_t lane, std::uint32_t generation);
  /// The actor of `lane` is gone, or given up on as stuck. What it had comes back; the event it was
  /// handling is charged with a crash. Answers whether it completed anything since `lane_up`.
  bool lane_down(std::uint32_t lane, std::string_view why, time_point now, effect_list& out);
  /// Told to stop: finishes its call, gets nothing more.
  void lane_stopping(std::uint32_t lane) { lanes_[lane].up = false; }
  /// Lanes whose handler has been at one event longer than the time limit.
  std::vector<std::uint32_t> stuck_lanes(time_point now) const;
  std::uint32_t lanes() const noexcept { return static_cast<std::uint32_t>(lanes_.size()); }
  bool lane_is_up(std::uint32_t lane) const { return lanes_[lane].up; }

  // -- control ----------------------------------------------------------------------
  /// `retry`, `time_limit`, `execution`, `restart` and `quarantine` are from now on as in `to`;
  /// what decides which events wait here, and in which order, stays as it was.
  void change(const subscription_options& to);
  void pause() noexcept { paused_ = true; }
  void resume() noexcept { paused_ = false; }
  bool paused() const noexcept { return paused_; }
  /// While the scope is quarantined: events wait, or become dead letters, by policy.
  void set_quarantined(bool quarantined, time_point now, effect_list& out);
  /// Drops everything that is not with a handler; offers are dropped from now on.
  void remove(drop_reason why, effect_list& out);
  bool removed() const noexcept { return removed_; }
  /// It is a member of a group. When it ends unsubscribed, what it does not conclude any more stays
  /// on its books until it is handed over.
  void sit(group_seat* at) noexcept { seat_ = at; }
  group_seat* seat() noexcept { return seat_; }
  /// All of that, in order. Call when no handler is left; it has no seat afterwards.
  std::vector<envelope_ptr> hand_over();
  /// Nothing is owed.
  bool idle() const noexcept { return owed_.empty(); }
  /// The handler of `lane` is in the middle of an event.
  bool call_running(std::uint32_t lane) const noexcept;

  // -- reading ----------------------------------------------------------------------
  std::optional<time_point> deadline() const;
  std::size_t owed() const noexcept { return owed_.events(); }
  std::size_t owed_bytes() const noexcept { return owed_.bytes(); }
  std::size_t in_flight() const noexcept;
  bool is_stalled() const noexcept { return owed_.stalled(); }
  bool breaker_is_open() const noexcept { return !breaker_.closed(); }
  /// What its handler said, while the breaker is open.
  std::string_view why_unavailable() const noexcept {
    return breaker_is_open() ? std::string_view(why_unavailable_) : std::string_view();
  }
  /// When the oldest event that is owed was published, in Unix milliseconds; looks at all of them.
  std::optional<std::int64_t> oldest_ms() const;
  /// `f(event, received)` for every event owed: the ledger's independent count of what is pending.
  template <class F> void for_each_owed(F f) const;
  const settings& about() const noexcept { return how_; }
  void check() const;

private:
  struct lane_state {
    std::uint32_t generation = 0;
    bool up = false;
    bool productive = false;
    bool wants_probe = false; ///< its runner stands still until a batch says to go on
    std::uint32_t in_flight_events = 0;
    std::uint32_t deferred = 0; ///< of `deferred_`
    std::deque<batch_ptr> in_flight;
    std::uint64_t sent = 0;      ///< batches, ever
    std::uint64_t returning = 0; ///< those until then may come back: nothing is sent meanwhile
    std::deque<std::pair<std::uint64_t, std::uint64_t>> closing; ///< key, `sent` at that time
    std::vector<std::uint64_t> freed;                            ///< keys to tell the runner of
    std::deque<work_item> staged; ///< picked for this lane, when there are several
    time_point last_report{};
    double event_ns = 0;            ///< moving average; 0 is unknown
    const batch* watched = nullptr; ///< with `watched_mark`: since when it has not moved
    batch::progress_mark watched_mark{};
    time_point watched_since{};
  };
  struct trouble { ///< the history of an event that did not succeed at once
    std::uint32_t attempts = 0;
    std::uint32_t crashes = 0;
    time_point first_failure{};
    duration paused_then{};
    time_point due{};
    bool redriven = false;
    std::uint64_t letter = 0;
    std::uint32_t redrives = 0;
    std::vector<dead_letter_attempt> history;
  };
  struct deferred_event {
    envelope_ptr event;
    std::uint32_t attempt;
    time_point since;
    std::uint32_t lane;
  };

  // -- intake (delivery.cpp)
  bool admit(const chunk_entry& entry, time_point now, effect_list& out);
  void lose(const envelope& event, std::uint64_t seq, drop_reason why, effect_list& out);
  void tell_origin(std::uint64_t from, std::uint64_t to, fate how, drop_reason why,
                   effect_list& out);
  void update_gate(effect_list& out);
  bool drop_oldest(effect_list& out);
  void note_lost(std::uint64_t seq);
  std::uint64_t take_gap(std::uint64_t seq);
  bool keep_latest(effect_list& out);
  void drop_superseded(effect_list& out);
  void drop(const envelope& event, std::uint64_t seq, drop_reason why, effect_list& out);
  bool waits_in_quarantine() const noexcept;
  duration check_interval() const noexcept;

  // -- as a member of a group (delivery_shared.cpp)
  bool is_of_group(std::uint64_t seq) const;
  bool leaves_to_others(std::uint64_t seq) const;
  void tell_seat(const envelope& event, std::uint64_t seq);

  // -- handing out (delivery_dispatch.cpp)
  void dispatch_lane(std::uint32_t at, time_point now, effect_list& out);
  void dispatch_probe(time_point now, effect_list& out);
  void distribute(std::size_t limit);
  void take_staged(lane_state& lane, std::size_t limit, batch& into);
  void unstage(lane_state& lane);
  bool take_ready(std::size_t limit, batch& into);
  bool pop_waiting(work_item& into);
  bool has_anything_to_send() const noexcept;
  void take_waiting(std::size_t limit, batch& into);
  bool place(std::uint64_t seq, envelope_ptr event, work_item& into);
  static std::uint32_t fitting_batch(const lane_state& lane);
  std::uint32_t room_of(const lane_state& lane) const;
  std::uint32_t lane_of(std::uint64_t key) const;
  void send(std::uint32_t at, batch_ptr work, time_point now, effect_list& out);
  bool has_work() const noexcept { return waiting_events_ > 0 || !ready_.empty(); }

  // -- what became of it (delivery_results.cpp)
  static void learn_speed(lane_state& lane, const batch& work, const batch::results& found,
                          time_point now);
  void settle_batch(const batch& work, batch::results&& found, std::string_view died_of,
                    time_point now, effect_list& out);
  void conclude_range(const batch& work, std::uint32_t from, std::uint32_t to, time_point now,
                      effect_list& out);
  void conclude(const envelope& event, std::uint64_t seq, fate how, effect_list& out);
  void gather_key(std::uint64_t key, std::uint64_t head);
  void close_key(const envelope& event, std::uint64_t seq);
  void pass_key(const envelope& event, std::uint64_t seq);
  void settle_closing(lane_state& lane);
  trouble& remember(std::uint64_t seq, const outcome& why, time_point now);
  bool is_in_flight(std::uint64_t seq) const;
  void note_progress_if(bool moved, time_point now, effect_list& out) {
    if (moved)
      note_progress(now, out);
  }
  void on_note(const batch& work, exception_note&& note, time_point now, effect_list& out);
  void on_answer(const envelope_ptr& event, std::uint64_t seq, std::uint32_t lane, outcome&& said,
                 time_point now, effect_list& out);
  envelope_ptr no_longer_deferred(tsl::robin_map<std::uint64_t, deferred_event>::iterator which);
  void fail_attempt(const envelope_ptr& event, std::uint64_t seq, outcome&& why, time_point now,
                    effect_list& out);
  void give_up(const envelope_ptr& event, std::uint64_t seq, std::string reason, time_point now,
               effect_list& out);
  void put_back(const envelope_ptr& event, std::uint64_t seq);
  void hold_key(const envelope& event, std::uint64_t seq);
  void open_breaker(const outcome& said, time_point now, effect_list& out);
  bool is_redriven(std::uint64_t seq) const;
  void settle_letter(std::uint64_t seq, fate how, effect_list& out);
  void after_taking_back(time_point now, effect_list& out);
  void note_progress(time_point now, effect_list& out);
  void expire_deferrals(time_point now, effect_list& out);

  std::uint64_t key_of(const envelope& event) const noexcept {
    return how_.options.order == event_order::strict ? 1 : event.key_hash();
  }
  bool is_received(std::uint64_t seq) const noexcept { return origins_.find(seq) != nullptr; }
  ledger::row& row_of(const envelope& event, bool received);
  std::int64_t wall_ms(time_point now) const noexcept {
    return how_.wall_offset_ms +
           std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  }

  settings how_;
  ledger& book_;
  random_source chance_;
  std::vector<lane_state> lanes_;

  std::deque<slice> waiting_; ///< never tried, in order
  std::size_t waiting_events_ = 0;
  std::map<std::uint64_t, envelope_ptr> ready_; ///< by seq; goes before `waiting_`
  std::map<std::pair<time_point, std::uint64_t>, envelope_ptr> retries_;
  tsl::robin_map<std::uint64_t, deferred_event> deferred_;
  std::unordered_map<std::uint64_t, outcome> early_; ///< completed before the report said deferred
  std::unordered_map<std::uint64_t, trouble> trouble_;
  blocked_keys blocked_;
  std::unordered_map<std::uint64_t, std::uint64_t> paused_keys_; ///< by a dead letter: key, seq
  breaker breaker_;
  std::string why_unavailable_; ///< when the breaker opened last

  std::uint64_t next_seq_ = 1;
  backlog owed_;
  origins origins_;
  std::map<std::uint64_t, std::uint64_t> gaps_; ///< by the event they are just before
  bool paused_ = false;
  bool quarantined_ = false;
  bool removed_ = false;
  drop_reason removed_why_ = drop_reason::unsubscribed;
  group_seat* seat_ = nullptr;                 ///< in a group, or none
  std::map<std::uint64_t, envelope_ptr> left_; ///< to the other members
  time_point last_wake_{};
  time_point next_check_ = time_point::max();
  std::uint64_t last_topic_ = 0;
  bool last_received_ = false;
  ledger::row* last_row_ = nullptr;
};

template <class F> void delivery::for_each_owed(F f) const {
  const auto tell = [&](std::uint64_t seq, const envelope& event) { f(event, is_received(seq)); };
  for (const auto& part : waiting_)
    for (auto i = part.begin; i < part.end; ++i)
      tell(part.first_seq + i - part.begin, *part.events->entries[i].event);
  for (const auto& [seq, event] : ready_)
    tell(seq, *event);
  for (const auto& [when, event] : retries_)
    tell(when.second, *event);
  for (const auto& [seq, what] : deferred_)
    tell(seq, *what.event);
  for (const auto& [seq, event] : left_)
    tell(seq, *event);
  blocked_.for_each([&](std::uint64_t seq, const envelope_ptr& event) { tell(seq, *event); });
  for (const auto& lane : lanes_) {
    for (const auto& item : lane.staged)
      tell(item.seq, *item.event);
    for (const auto& work : lane.in_flight)
      for (std::uint32_t i = 0; i < work->size(); ++i)
        tell(work->seq(i), *work->event(i));
  }
}

} // namespace edupulse
