// What became of it. A batch in which all went well is concluded in one stroke; for the rest each
// noted event is looked at. Whatever was not tried comes back unharmed and in order.

#include "actors/delivery.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

namespace {
constexpr std::size_t history_head = 1; // the first attempt and the last nine are kept
constexpr std::size_t history_tail = 9;
} // namespace

// -- handler actors -----------------------------------------------------------------------

void delivery::lane_up(std::uint32_t at, std::uint32_t generation) {
  auto& lane = lanes_[at];
  lane.generation = generation;
  lane.up = true;
  lane.productive = false;
  lane.wants_probe = false;
  lane.watched = nullptr;
}

bool delivery::lane_down(std::uint32_t at, std::string_view why, time_point now, effect_list& out) {
  auto& lane = lanes_[at];
  lane.up = false;
  auto lost = std::exchange(lane.in_flight, {});
  for (const auto& work : lost) {
    lane.in_flight_events -= work->size();
    settle_batch(*work, work->close(), why, now, out);
  }
  settle_closing(lane);
  lane.freed.clear(); // the next runner begins with no blocked keys
  breaker_.probe_lost();
  return std::exchange(lane.productive, false);
}

void delivery::on_report(const batch_ptr& work, time_point now, effect_list& out) {
  auto& lane = lanes_[work->lane];
  const auto at = std::find(lane.in_flight.begin(), lane.in_flight.end(), work);
  if (work->generation != lane.generation || at == lane.in_flight.end())
    return; // of a revoked generation: taken back already
  lane.in_flight.erase(at);
  lane.in_flight_events -= work->size();
  auto found = work->close();
  learn_speed(lane, *work, found, now);
  settle_batch(*work, std::move(found), {}, now, out);
  settle_closing(lane);
}

/// How long an event takes, for the size of batches. Of events that were deferred the time says
/// nothing: such a handler works per batch (a bulk request), and gets full ones.
void delivery::learn_speed(lane_state& lane, const batch& work, const batch::results& found,
                           time_point now) {
  const auto since = std::max(work.sent_at, lane.last_report);
  lane.last_report = now;
  std::size_t deferred = 0;
  for (const auto& note : found.notes)
    if (note.said.what() == outcome::kind::deferred)
      ++deferred;
  const auto took =
      2 * deferred >= work.size() ? 1.0 : static_cast<double>((now - since).count()) / work.size();
  lane.event_ns = lane.event_ns <= 0 ? took : 0.7 * lane.event_ns + 0.3 * took;
}

void delivery::settle_batch(const batch& work, batch::results&& found, std::string_view died_of,
                            time_point now, effect_list& out) {
  const auto size = work.size();
  const auto [done, running] = found.progress;
  note_progress_if(done > 0, now, out);
  const auto keep_gap = [&](std::uint32_t i) { // it is told with an event that is tried
    if (work.gap(i) > 0 && !planted("gap_lost_in_crash"))
      gaps_[work.seq(i)] += work.gap(i);
  };
  std::uint32_t next = 0;
  bool running_noted = false;
  for (auto& note : found.notes) {
    conclude_range(work, next, std::min(note.index, done), now, out);
    running_noted = running_noted || (running && note.index == done);
    next = note.index + 1;
    if (note.what != exception_note::kind::answered)
      keep_gap(note.index);
    on_note(work, std::move(note), now, out);
  }
  conclude_range(work, next, done, now, out);
  auto untried = std::max(next, done);
  if (running && !running_noted && untried < size) {
    fail_attempt(work.event(untried), work.seq(untried),
                 outcome::crash("ended", std::string(died_of)), now, out);
    ++untried;
  }
  for (auto i = untried; i < size; ++i) {
    keep_gap(i);
    put_back(work.event(i), work.seq(i));
  }
  for (std::uint32_t i = 0; i < size && !early_.empty(); ++i)
    early_.erase(work.seq(i)); // answered twice: the first answer counted
  after_taking_back(now, out);
}

/// What came back to a subscription that is ending, or whose events do not wait, ends here.
void delivery::after_taking_back(time_point now, effect_list& out) {
  if (removed_)
    remove(removed_why_, out);
  else if (quarantined_)
    set_quarantined(true, now, out);
  update_gate(out);
}

void delivery::conclude_range(const batch& work, std::uint32_t from, std::uint32_t to,
                              time_point now, effect_list& out) {
  if (from >= to)
    return;
  lanes_[work.lane].productive = true;
  if (!breaker_.closed() && !planted("breaker_never_closes") && breaker_.on_answer(now))
    out.emplace_back(effects::breaker_closed{how_.index});
  if (!work.items.empty()) {
    for (auto i = from; i < to; ++i) {
      conclude(*work.event(i), work.seq(i), fate::handled, out);
      pass_key(*work.event(i), work.seq(i));
    }
    return;
  }
  std::size_t bytes = 0;
  const auto first = work.seq(from);
  const bool received = is_received(first); // a slice is all of one node
  const auto* entries = work.fresh.events->entries.data() + work.fresh.begin;
  for (auto i = from; i < to; ++i) {
    const auto& entry = entries[i];
    if (entry.topic_hash != last_topic_ || last_row_ == nullptr || received != last_received_)
      row_of(*entry.event, received);
    ++last_row_->handled;
    bytes += entry.footprint;
    if (entry.special && entry.event->tracked_by() != nullptr)
      out.emplace_back(effects::settle{entry.event, how_.index, fate::handled});
  }
  if (seat_ != nullptr && !received)
    for (auto i = from; i < to; ++i)
      seat_->concluded(*entries[i].event);
  owed_.take(to - from, bytes);
  if (received)
    tell_origin(first, first + (to - from), fate::handled, {}, out);
}

/// The end of one event here, whatever it was. What stood behind its key goes on.
void delivery::conclude(const envelope& event, std::uint64_t seq, fate how, effect_list& out) {
  row_of(event, is_received(seq)).count(how, {});
  owed_.take(1, event.footprint());
  tell_seat(event, seq);
  if (how != fate::dead)
    settle_letter(seq, how, out);
  const bool redriven = is_redriven(seq); // its receipt has been told that it is dead
  trouble_.erase(seq);
  if (event.tracked_by() != nullptr && (!redriven || planted("receipt_settled_twice")))
    out.emplace_back(effects::settle{envelope_ptr::share(event), how_.index, how});
  tell_origin(seq, seq + 1, how, {}, out);
}

bool delivery::is_redriven(std::uint64_t seq) const {
  const auto past = trouble_.find(seq);
  return past != trouble_.end() && past->second.redriven;
}

void delivery::settle_letter(std::uint64_t seq, fate how, effect_list& out) {
  if (is_redriven(seq))
    out.emplace_back(effects::settle_redrive{trouble_.at(seq).letter, how});
}

// -- one event ------------------------------------------------------------------------------

void delivery::on_note(const batch& work, exception_note&& note, time_point now, effect_list& out) {
  const auto& event = work.event(note.index);
  const auto seq = work.seq(note.index);
  if (note.what != exception_note::kind::answered)
    breaker_.probe_lost(); // not an answer: if this was the probe, send another
  switch (note.what) {
  case exception_note::kind::answered:
    on_answer(event, seq, work.lane, std::move(note.said), now, out);
    break;
  case exception_note::kind::stepped_aside:
    out.emplace_back(effects::stepped_aside{how_.index, event->id()});
    if (!blocked_.blocked(key_of(*event)))
      close_key(*event, seq);
    blocked_.follow(key_of(*event), seq, event);
    break;
  case exception_note::kind::returned:
    put_back(event, seq);
    break;
  case exception_note::kind::expired:
    conclude(*event, seq, fate::expired, out);
    pass_key(*event, seq);
    break;
  }
}

void delivery::on_answer(const envelope_ptr& event, std::uint64_t seq, std::uint32_t lane,
                         outcome&& said, time_point now, effect_list& out) {
  if (said.what() != outcome::kind::unavailable && said.what() != outcome::kind::deferred &&
      breaker_.on_answer(now))
    out.emplace_back(effects::breaker_closed{how_.index});
  switch (said.what()) {
  case outcome::kind::ok: // a deferral was completed
    conclude(*event, seq, fate::handled, out);
    close_key(*event, seq);
    break;
  case outcome::kind::retry:
  case outcome::kind::crash:
    fail_attempt(event, seq, std::move(said), now, out);
    break;
  case outcome::kind::reject:
    remember(seq, said, now);
    give_up(event, seq, std::string(said.reason()), now, out);
    break;
  case outcome::kind::unavailable:
    open_breaker(said, now, out);
    put_back(event, seq);
    break;
  case outcome::kind::deferred:
    hold_key(*event, seq);
    const auto past = trouble_.find(seq);
    const auto attempt = past == trouble_.end() ? 1 : past->second.attempts + 1;
    deferred_.emplace(seq, deferred_event{event, attempt, now, lane});
    ++lanes_[lane].deferred;
    if (auto early = early_.find(seq); early != early_.end()) {
      auto answer = std::move(early->second);
      early_.erase(early);
      on_completion(seq, attempt, std::move(answer), now, out);
    }
    break;
  }
}

void delivery::on_completion(std::uint64_t seq, std::uint32_t attempt, outcome&& what,
                             time_point now, effect_list& out) {
  if (what.what() == outcome::kind::deferred)
    what = outcome::retry("a deferral was completed with `deferred`");
  const auto at = deferred_.find(seq);
  if (at != deferred_.end()) {
    if (at->second.attempt != attempt)
      return; // of an earlier attempt that ran out of time
    const auto lane = at->second.lane;
    const auto event = no_longer_deferred(at);
    note_progress_if(what.is_ok(), now, out);
    on_answer(event, seq, lane, std::move(what), now, out);
    settle_closing(lanes_[lane_of(key_of(*event))]);
    after_taking_back(now, out);
    return;
  }
  if (const auto late = trouble_.find(seq); late != trouble_.end() && what.is_ok()) {
    // Late, but the event has not been tried again yet: it counts.
    const auto waits = retries_.find({late->second.due, seq});
    if (waits != retries_.end()) {
      const auto event = std::move(waits->second);
      retries_.erase(waits);
      conclude(*event, seq, fate::handled, out);
      close_key(*event, seq);
      settle_closing(lanes_[lane_of(key_of(*event))]);
      return;
    }
  }
  if (is_in_flight(seq) && !planted("early_answer_lost"))
    early_.insert_or_assign(seq, std::move(what));
}

envelope_ptr
delivery::no_longer_deferred(tsl::robin_map<std::uint64_t, deferred_event>::iterator which) {
  --lanes_[which->second.lane].deferred;
  auto event = std::move(which.value().event);
  deferred_.erase(which);
  return event;
}

bool delivery::is_in_flight(std::uint64_t seq) const {
  for (const auto& lane : lanes_)
    for (const auto& work : lane.in_flight) {
      const auto size = work->size();
      if (work->items.empty()) {
        if (seq >= work->fresh.first_seq && seq < work->fresh.first_seq + size)
          return true;
        continue;
      }
      for (const auto& item : work->items)
        if (item.seq == seq)
          return true;
    }
  return false;
}

void delivery::expire_deferrals(time_point now, effect_list& out) {
  std::vector<std::uint64_t> late;
  for (const auto& [seq, what] : deferred_)
    if (now - what.since >= how_.options.time_limit)
      late.push_back(seq);
  std::sort(late.begin(), late.end());
  for (const auto seq : late) {
    const auto event = no_longer_deferred(deferred_.find(seq));
    fail_attempt(event, seq, outcome::crash("time_limit", "its deferral was not completed in time"),
                 now, out);
  }
}

/// Notes what went wrong in the event's history.
delivery::trouble& delivery::remember(std::uint64_t seq, const outcome& why, time_point now) {
  auto& past = trouble_[seq];
  if (past.attempts == 0) {
    past.first_failure = now;
    past.paused_then = breaker_.paused(now);
  }
  ++past.attempts;
  if (why.what() == outcome::kind::crash)
    ++past.crashes;
  if (past.history.size() >= history_head + history_tail)
    past.history.erase(past.history.begin() + history_head);
  past.history.push_back({wall_ms(now), std::string(to_string(why.what())),
                          std::string(why.error_type()), std::string(why.reason())});
  return past;
}

void delivery::fail_attempt(const envelope_ptr& event, std::uint64_t seq, outcome&& why,
                            time_point now, effect_list& out) {
  auto& past = remember(seq, why, now);
  auto& row = row_of(*event, is_received(seq));
  const bool crashed = why.what() == outcome::kind::crash;
  ++(crashed ? row.crashes : row.retries);
  const auto& retry = how_.options.retry;
  const auto paused = planted("unavailable_spends_time") ? duration::zero()
                                                         : breaker_.paused(now) - past.paused_then;
  const auto gives_up_at = past.first_failure + retry.give_up_after + paused;
  if (crashed && past.crashes >= retry.max_crashes) {
    give_up(event, seq, "it crashed its handler " + std::to_string(past.crashes) + " times", now,
            out);
    return;
  }
  if (now >= gives_up_at) {
    give_up(event, seq, "it did not succeed in the time for retries", now, out);
    return;
  }
  const auto wait = why.after()                       ? *why.after()
                    : planted("retry_without_jitter") ? back_off_ceiling(retry, past.attempts)
                                                      : full_jitter(retry, past.attempts, chance_);
  past.due = std::min(now + wait, gives_up_at); // the last try is at the end of the time
  hold_key(*event, seq);
  out.emplace_back(
      effects::retrying{how_.index, event->id(), past.attempts, past.due, std::move(why)});
  retries_.emplace(std::pair{past.due, seq}, event);
}

void delivery::give_up(const envelope_ptr& event, std::uint64_t seq, std::string reason,
                       time_point now, effect_list& out) {
  auto& past = trouble_[seq];
  dead_letter letter;
  letter.id = past.redriven ? past.letter : 0;
  letter.event = event;
  letter.subscription = how_.name;
  letter.node = how_.node_name;
  letter.reason = std::move(reason);
  letter.attempts = std::move(past.history);
  letter.redrives = past.redrives;
  letter.died_ms = wall_ms(now);
  if (!planted("dead_letter_lost"))
    out.emplace_back(effects::bury{how_.index, std::move(letter)});
  conclude(*event, seq, fate::dead, out);
  const auto key = key_of(*event);
  if (how_.options.dead == after_dead_letter::pause_key && key != 0) {
    hold_key(*event, seq);
    paused_keys_.insert_or_assign(key, seq);
  } else {
    close_key(*event, seq);
  }
}

void delivery::open_breaker(const outcome& said, time_point now, effect_list& out) {
  for (auto& lane : lanes_) {
    lane.wants_probe = true;
    lane.returning = lane.sent;
  }
  if (!breaker_.on_unavailable(said.after(), now, chance_))
    return;
  why_unavailable_ = said.reason();
  out.emplace_back(effects::breaker_opened{how_.index, breaker_.until(), why_unavailable_});
}

} // namespace edupulse
