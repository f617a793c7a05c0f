// When a subscription's queue is full, or it is stalled, quarantined or gone: what becomes of the
// next event, and what the subscription is told of those that it is not given.

#include "actors/delivery.hpp"
#include "actors/superseded.hpp"
#include "schemas/planted.hpp"

namespace edupulse {

/// The slow half of `offer`: true when the event may wait here in spite of it all.
bool delivery::admit(const chunk_entry& entry, time_point now, effect_list& out) {
  const auto& event = *entry.event;
  if (removed_) {
    if (leaves_to_others(next_seq_) && !owed_.over())
      left_.emplace(next_seq_, entry.event); // its key is held here: it goes with the others of it
    else
      lose(event, next_seq_, removed_why_, out);
    return false;
  }
  if (quarantined_ && !waits_in_quarantine()) {
    give_up(entry.event, next_seq_, "its scope is quarantined", now, out);
    return false;
  }
  if (owed_.stalled()) {
    owed_.count_missed();
    lose(event, next_seq_, drop_reason::shed_stalled, out);
    return false;
  }
  switch (how_.options.overload) {
  case overload_policy::drop_newest:
    drop(event, next_seq_, drop_reason::drop_newest, out);
    return false;
  case overload_policy::drop_oldest:
    if (drop_oldest(out))
      return true;
    // All that is owed is with the handler already.
    drop(event, next_seq_, drop_reason::drop_oldest, out);
    return false;
  case overload_policy::latest_per_key:
    if (keep_latest(out))
      return true;
    drop(event, next_seq_, drop_reason::drop_oldest, out);
    return false;
  case overload_policy::wait:
  case overload_policy::strict:
    break;
  }
  // Admitted before the gate was seen closed. The inbox bounds how many those can be.
  if (event.level() == delivery_level::best_effort) {
    drop(event, next_seq_, drop_reason::best_effort_full, out);
    return false;
  }
  return true;
}

bool delivery::waits_in_quarantine() const noexcept {
  return how_.options.quarantine == quarantine_policy::wait;
}

bool delivery::drop_oldest(effect_list& out) {
  if (waiting_.empty())
    return false;
  auto& front = waiting_.front();
  const auto& oldest = front.events->entries[front.begin];
  drop(*oldest.event, front.first_seq, drop_reason::drop_oldest, out);
  --waiting_events_;
  ++front.begin;
  ++front.first_seq;
  if (front.size() == 0)
    waiting_.pop_front();
  return true;
}

void delivery::lose(const envelope& event, std::uint64_t seq, drop_reason why, effect_list& out) {
  if (!planted("drop_not_counted"))
    ++row_of(event, is_received(seq)).dropped[static_cast<std::size_t>(why)];
  note_lost(seq);
  owed_.take(1, event.footprint());
  tell_seat(event, seq);
  if (event.tracked_by() != nullptr && !is_redriven(seq))
    out.emplace_back(effects::settle{envelope_ptr::share(event), how_.index, fate::dropped});
  tell_origin(seq, seq + 1, fate::dropped, why, out);
}

/// Makes enough room at once that the next search for superseded events is hundreds of events away.
/// False when all that is owed is with the handler already.
bool delivery::keep_latest(effect_list& out) {
  drop_superseded(out);
  while (!owed_.has_room() && drop_oldest(out)) {
  }
  return !owed_.over();
}

void delivery::drop_superseded(effect_list& out) {
  waiting_ = newest_of_each_key(waiting_, [&](const envelope& event, std::uint64_t seq) {
    drop(event, seq, drop_reason::superseded, out);
    --waiting_events_;
  });
}

/// It will not be handed out. A gap before it and itself are one gap before the next one.
void delivery::note_lost(std::uint64_t seq) {
  if (removed_ || planted("gap_not_told"))
    return;
  std::uint64_t count = 1;
  if (const auto before = gaps_.find(seq); before != gaps_.end()) {
    count += before->second;
    gaps_.erase(before);
  }
  gaps_[seq + 1] += count;
}

/// What is missing before `seq` and was not told yet.
std::uint64_t delivery::take_gap(std::uint64_t seq) {
  std::uint64_t missed = 0;
  while (!gaps_.empty() && gaps_.begin()->first <= seq) {
    missed += gaps_.begin()->second;
    gaps_.erase(gaps_.begin());
  }
  return missed;
}

/// Lost to the overload policy.
void delivery::drop(const envelope& event, std::uint64_t seq, drop_reason why, effect_list& out) {
  if (owed_.begins_dropping())
    out.emplace_back(effects::dropping{how_.index, to_string(why)});
  lose(event, seq, why, out);
}

} // namespace edupulse
