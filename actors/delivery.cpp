// The path of an event, stop 4 of 5. Before: actors/router.cpp. Next: actors/runner.cpp.
//
// Intake, control and the answers to "how are you": see delivery.hpp for the picture,
// delivery_dispatch.cpp for handing out, delivery_results.cpp for what became of it.

#include "actors/delivery.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

delivery::delivery(settings how, ledger& book, time_point now)
    : how_(std::move(how)), book_(book), chance_(how_.seed), lanes_(how_.options.concurrency),
      breaker_(how_.options.retry), owed_(backlog_of(how_.options), now) {}

ledger::row& delivery::row_of(const envelope& event, bool received) {
  if (last_row_ == nullptr || event.topic_hash() != last_topic_ || received != last_received_) {
    last_topic_ = event.topic_hash();
    last_received_ = received;
    last_row_ = &book_.row_of(event.topic(), last_topic_,
                              received ? ledger::received(how_.index) : how_.index);
  }
  return *last_row_;
}

void delivery::change(const subscription_options& to) {
  how_.options.retry = to.retry;
  how_.options.time_limit = to.time_limit;
  how_.options.execution = to.execution;
  how_.options.restart = to.restart;
  how_.options.quarantine = to.quarantine;
  breaker_.change(to.retry);
}

// -- intake ---------------------------------------------------------------------------

void delivery::offer(const chunk_ptr& from, std::uint32_t begin, std::uint32_t end, time_point now,
                     effect_list& out) {
  const bool received = is_received(next_seq_);
  slice part{from, begin, begin, next_seq_};
  auto keep = [&] { // what was let in so far, as one slice
    if (part.size() == 0)
      return;
    waiting_events_ += part.size();
    auto* last = waiting_.empty() ? nullptr : &waiting_.back();
    if (last != nullptr && last->events == from && last->end == part.begin &&
        last->first_seq + last->size() == part.first_seq)
      last->end = part.end;
    else
      waiting_.push_back(part);
  };
  for (auto i = begin; i < end; ++i) {
    const auto& entry = from->entries[i];
    if (entry.topic_hash != last_topic_ || last_row_ == nullptr || received != last_received_)
      row_of(*entry.event, received);
    ++last_row_->published;
    owed_.add(1, entry.footprint);
    const bool simple = !removed_ && !owed_.stalled() &&
                        (!owed_.over() || planted("backlog_bound_ignored")) &&
                        (!quarantined_ || waits_in_quarantine());
    if (simple) {
      ++part.end;
      ++next_seq_;
      continue;
    }
    keep();
    part = slice{from, i, i, next_seq_};
    if (admit(entry, now, out))
      ++part.end;
    else // what is missed has a number too: that is what a gap is
      part = slice{from, i + 1, i + 1, next_seq_ + 1};
    ++next_seq_;
  }
  keep();
  if (next_check_ == time_point::max() && !owed_.empty()) {
    owed_.begin(now);
    next_check_ = now + check_interval();
  }
  update_gate(out);
}

void delivery::offer_from(std::uint32_t peer, const slice& events, std::uint64_t missed,
                          time_point now, effect_list& out) {
  if (missed > 0)
    gaps_[next_seq_] += missed;
  origins_.add(next_seq_, events.size(), peer, events.first_seq);
  offer(events.events, events.begin, events.end, now, out);
}

void delivery::tell_origin(std::uint64_t from, std::uint64_t to, fate how, drop_reason why,
                           effect_list& out) {
  origins_.conclude(from, to, [&](std::uint32_t peer, std::uint64_t dseq, std::uint64_t count) {
    out.emplace_back(effects::acknowledge{peer, how_.index, dseq, count, how, why});
  });
}

void delivery::update_gate(effect_list& out) {
  if (const auto closed = owed_.update_gate(removed_))
    out.emplace_back(effects::gate{how_.index, *closed});
}

void delivery::redrive(dead_letter&& letter, time_point now, effect_list& out) {
  const auto seq = next_seq_++;
  auto event = letter.event;
  if (auto& row = row_of(*event, false); row.dead > 0) {
    --row.dead;
  } else { // a peer's event is this node's own from here on
    ++row.published;
    if (auto& theirs = row_of(*event, true); theirs.dead > 0) {
      --theirs.dead;
      --theirs.published;
    }
  }
  owed_.add(1, event->footprint());
  trouble past;
  past.redriven = true;
  past.letter = letter.id;
  past.redrives = letter.redrives + 1;
  past.history = std::move(letter.attempts);
  trouble_.emplace(seq, std::move(past));
  if (removed_) {
    settle_letter(seq, fate::dropped, out);
    lose(*event, seq, removed_why_, out);
    return;
  }
  const auto key = key_of(*event);
  if (how_.options.dead == after_dead_letter::pause_key && key != 0 && blocked_.blocked(key) &&
      paused_keys_.erase(key) > 0)
    blocked_.replace_head(key, seq);
  put_back(event, seq);
  if (next_check_ == time_point::max())
    next_check_ = now + check_interval();
}

void delivery::release_key(std::uint64_t key, time_point) {
  auto at = paused_keys_.find(key);
  if (at == paused_keys_.end())
    return;
  paused_keys_.erase(at);
  blocked_.close(key);
  auto& lane = lanes_[lane_of(key)];
  lane.closing.emplace_back(key, lane.sent);
  settle_closing(lane);
}

// -- control ----------------------------------------------------------------------------

void delivery::set_quarantined(bool quarantined, time_point now, effect_list& out) {
  quarantined_ = quarantined;
  if (!quarantined || waits_in_quarantine())
    return;
  std::vector<std::pair<std::uint64_t, envelope_ptr>> all(ready_.begin(), ready_.end());
  ready_.clear();
  for (auto& [when, event] : retries_)
    all.emplace_back(when.second, std::move(event));
  retries_.clear();
  blocked_.for_each([&](std::uint64_t seq, const envelope_ptr& e) { all.emplace_back(seq, e); });
  blocked_.clear();
  for (auto& part : std::exchange(waiting_, {}))
    for (auto i = part.begin; i < part.end; ++i)
      all.emplace_back(part.first_seq + i - part.begin, part.events->entries[i].event);
  waiting_events_ = 0;
  for (auto& [seq, event] : all)
    give_up(event, seq, "its scope is quarantined", now, out);
}

void delivery::remove(drop_reason why, effect_list& out) {
  removed_ = true;
  removed_why_ = why;
  auto drop = [&](std::uint64_t seq, const envelope_ptr& event) {
    if (leaves_to_others(seq)) {
      left_.emplace(seq, event);
      return;
    }
    settle_letter(seq, fate::dropped, out);
    lose(*event, seq, why, out);
  };
  for (const auto& part : std::exchange(waiting_, {}))
    for (auto i = part.begin; i < part.end; ++i)
      drop(part.first_seq + i - part.begin, part.events->entries[i].event);
  waiting_events_ = 0;
  for (const auto& [seq, event] : std::exchange(ready_, {}))
    drop(seq, event);
  for (const auto& [when, event] : std::exchange(retries_, {}))
    drop(when.second, event);
  for (const auto& [seq, what] : std::exchange(deferred_, {})) {
    --lanes_[what.lane].deferred;
    drop(seq, what.event);
  }
  blocked_.for_each(drop);
  blocked_.clear();
  for (auto& lane : lanes_)
    for (const auto& item : std::exchange(lane.staged, {}))
      drop(item.seq, item.event);
  update_gate(out);
}

// -- time ---------------------------------------------------------------------------------

duration delivery::check_interval() const noexcept {
  const auto shortest = std::min(how_.options.time_limit, how_.options.stall_after) / 8;
  return std::clamp<duration>(shortest, std::chrono::milliseconds(5),
                              std::chrono::milliseconds(100));
}

void delivery::on_wake(time_point now, effect_list& out) {
  last_wake_ = now;
  while (!retries_.empty() && retries_.begin()->first.first <= now) {
    auto first = retries_.begin();
    ready_.emplace(first->first.second, std::move(first->second));
    retries_.erase(first);
  }
  if (now < next_check_)
    return;
  next_check_ = owed_.empty() ? time_point::max() : now + check_interval();
  expire_deferrals(now, out);
  for (auto& lane : lanes_) {
    const batch* front = lane.in_flight.empty() ? nullptr : lane.in_flight.front().get();
    const auto mark = front != nullptr ? front->progress() : batch::progress_mark{};
    if (front == lane.watched && mark == lane.watched_mark)
      continue;
    if (front != nullptr && mark.done > 0 && !planted("progress_within_batch_ignored"))
      note_progress(now, out);
    lane.watched = front;
    lane.watched_mark = mark;
    lane.watched_since = now;
  }
  if (owed_.notice_stall(now)) {
    out.emplace_back(effects::stalled{how_.index});
    update_gate(out);
  }
}

void delivery::note_progress(time_point now, effect_list& out) {
  if (const auto missed = owed_.note_progress(now)) {
    out.emplace_back(effects::recovered{how_.index, *missed});
    update_gate(out);
  }
}

std::vector<std::uint32_t> delivery::stuck_lanes(time_point now) const {
  std::vector<std::uint32_t> found;
  for (std::uint32_t at = 0; at < lanes(); ++at) {
    const auto& lane = lanes_[at];
    if (lane.in_flight.empty() || lane.watched != lane.in_flight.front().get())
      continue;
    const auto mark = lane.watched->progress();
    if (mark.running && mark == lane.watched_mark &&
        now - lane.watched_since >= how_.options.time_limit)
      found.push_back(at);
  }
  return found;
}

std::optional<time_point> delivery::deadline() const {
  auto next = next_check_;
  if (!retries_.empty())
    next = std::min(next, retries_.begin()->first.first);
  if (breaker_.now_is() == breaker::state::open && breaker_.until() > last_wake_)
    next = std::min(next, breaker_.until());
  return next == time_point::max() ? std::nullopt : std::optional(next);
}

// -- reading --------------------------------------------------------------------------------

std::size_t delivery::in_flight() const noexcept {
  std::size_t count = deferred_.size();
  for (const auto& lane : lanes_)
    count += lane.in_flight_events;
  return count;
}

std::optional<std::int64_t> delivery::oldest_ms() const {
  std::optional<std::int64_t> oldest;
  for_each_owed([&](const envelope& event, bool) {
    oldest = std::min(oldest.value_or(event.occurred_at_ms()), event.occurred_at_ms());
  });
  return oldest;
}

bool delivery::call_running(std::uint32_t at) const noexcept {
  const auto& lane = lanes_[at];
  return !lane.in_flight.empty() && lane.in_flight.front()->progress().running;
}

void delivery::check() const {
  std::size_t count = 0;
  std::size_t own = 0;
  std::size_t bytes = 0;
  for_each_owed([&](const envelope& event, bool received) {
    ++count;
    own += !received;
    bytes += event.footprint();
  });
  assert(count == owed_.events());
  assert(bytes == owed_.bytes());
  assert(seat_ == nullptr || seat_->owed() <= own); // the others are redriven letters
  for ([[maybe_unused]] const auto& lane : lanes_)
    assert(lane.in_flight_events + lane.deferred <= how_.options.window + 1); // with a probe
  static_cast<void>(count);
  static_cast<void>(own);
  static_cast<void>(bytes);
}

} // namespace edupulse
