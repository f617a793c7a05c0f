#include "actors/destination.hpp"
#include "actors/superseded.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

destination::destination(settings how, ledger& book, time_point now)
    : how_(std::move(how)), book_(book), owed_(how_.overload, now, how_.shared) {}

ledger::row& destination::row_of(const envelope& event) {
  if (last_row_ == nullptr || event.topic_hash() != last_topic_) {
    last_topic_ = event.topic_hash();
    last_row_ = &book_.row_of(event.topic(), last_topic_, how_.index);
  }
  return *last_row_;
}

void destination::update_gate(effect_list& out) {
  if (const auto closed = owed_.update_gate(removed_ || away_))
    out.emplace_back(effects::gate{how_.index, *closed});
}

// -- owed -------------------------------------------------------------------------------

bool destination::offer(const slice& what, std::size_t bytes, time_point now, effect_list& out) {
  const auto& entries = what.events->entries;
  if (owed_.empty())
    owed_.begin(now);
  const bool all = takes_all(what.size(), bytes);
  for (auto i = what.begin; i < what.end; ++i) {
    const auto& entry = entries[i];
    if (entry.topic_hash != last_topic_ || last_row_ == nullptr)
      row_of(*entry.event);
    ++last_row_->published;
    if (all)
      continue;
    owed_.add(1, entry.footprint);
    if (admit(*entry.event, out))
      append_to(waiting_, what.events, i);
  }
  if (all)
    owed_.add(what.size(), bytes);
  if (all && behind_)
    waiting_.push_back(what);
  update_gate(out);
  return all && !behind_;
}

/// One event, counted already: true when it may wait here in spite of it all.
bool destination::admit(const envelope& event, effect_list& out) {
  if (removed_) {
    lose(event, removed_why_, out);
    return false;
  }
  if (owed_.stalled()) {
    owed_.count_missed();
    lose(event, drop_reason::shed_stalled, out);
    return false;
  }
  if (!owed_.over())
    return true;
  switch (how_.overload.policy) {
  case overload_policy::drop_newest:
    drop(event, drop_reason::drop_newest, out);
    return false;
  case overload_policy::drop_oldest:
    if (drop_oldest(out))
      return true;
    drop(event, drop_reason::drop_oldest, out); // all that is owed was sent already
    return false;
  case overload_policy::latest_per_key:
    if (keep_latest(out))
      return true;
    drop(event, drop_reason::drop_oldest, out);
    return false;
  case overload_policy::wait:
  case overload_policy::strict:
    break;
  }
  if (away_) { // of a group's key that does not move: no gate is closed for the dead
    lose(event, drop_reason::shed_stalled, out);
    return false;
  }
  if (event.level() != delivery_level::best_effort)
    return true; // admitted before the gate was seen closed; the inbox bounds how many those are
  drop(event, drop_reason::best_effort_full, out);
  return false;
}

bool destination::drop_oldest(effect_list& out) {
  if (waiting_.empty())
    return false;
  auto& front = waiting_.front();
  drop(*front.events->entries[front.begin].event, drop_reason::drop_oldest, out);
  if (++front.begin == front.end)
    waiting_.pop_front();
  return true;
}

/// Makes enough room at once that the next search is hundreds of events away.
bool destination::keep_latest(effect_list& out) {
  drop_superseded(out);
  while (!owed_.has_room() && drop_oldest(out)) {
  }
  return !owed_.over();
}

void destination::drop_superseded(effect_list& out) {
  waiting_ = newest_of_each_key(waiting_, [&](const envelope& event, std::uint64_t) {
    drop(event, drop_reason::superseded, out);
  });
}

void destination::drop(const envelope& event, drop_reason why, effect_list& out) {
  if (owed_.begins_dropping())
    out.emplace_back(effects::dropping{how_.index, to_string(why)});
  lose(event, why, out);
}

void destination::lose(const envelope& event, drop_reason why, effect_list& out) {
  ++row_of(event).dropped[static_cast<std::size_t>(why)];
  if (!planted("shed_without_telling"))
    ++missed_;
  owed_.take(1, event.footprint());
  if (seat_ != nullptr)
    seat_->concluded(event);
  if (event.tracked_by() != nullptr || !letters_.empty())
    settle(envelope_ptr::share(event), fate::dropped, out);
}

void destination::fall_behind(std::deque<slice>&& unsent) {
  assert(!behind_ && waiting_.empty());
  behind_ = true;
  waiting_ = std::move(unsent);
}

bool destination::rejoin(std::uint64_t place) noexcept {
  if (!behind_ || orphaned_ || has_own_work())
    return false;
  behind_ = false;
  joined_at_ = place;
  return true;
}

// -- sending ------------------------------------------------------------------------------

std::uint32_t destination::room_for(const chunk& events, std::uint32_t begin,
                                    std::uint32_t end) const noexcept {
  const auto window = how_.window_events + (planted("window_off_by_one") ? 1 : 0);
  if (orphaned_ || in_flight_events_ >= window)
    return 0;
  end =
      static_cast<std::uint32_t>(std::min<std::size_t>(end, begin + (window - in_flight_events_)));
  auto bytes = in_flight_bytes_;
  auto i = begin;
  for (; i < end; ++i) {
    bytes += events.entries[i].footprint;
    if (bytes > how_.window_bytes && bytes > events.entries[i].footprint)
      break; // an event larger than the window goes when it goes alone
  }
  return i - begin;
}

destination::ticket destination::send(const chunk_ptr& events, std::uint32_t begin,
                                      std::uint32_t end) {
  const ticket given{next_dseq_, std::exchange(missed_, 0)};
  if (given.missed > 0)
    gaps_.emplace(given.dseq, given.missed);
  for (auto i = begin; i < end; ++i)
    in_flight_bytes_ += events->entries[i].footprint;
  in_flight_events_ += end - begin;
  auto* last = sent_.empty() ? nullptr : &sent_.back();
  if (last != nullptr && last->events == events && last->end == begin)
    last->end = end;
  else
    sent_.push_back({events, begin, end, next_dseq_});
  next_dseq_ += end - begin;
  resend_at_ = resend_at_ == given.dseq ? next_dseq_ : resend_at_;
  return given;
}

bool destination::next(std::uint32_t events, std::size_t bytes, slice& into, ticket& as) {
  if (orphaned_)
    return false;
  if (resend_at_ < next_dseq_) {
    const auto gap = gaps_.find(resend_at_);
    as = {resend_at_, gap == gaps_.end() || planted("gap_lost_with_session") ? 0 : gap->second};
    return next_repeat(events, bytes, into);
  }
  if (waiting_.empty())
    return false;
  auto& front = waiting_.front();
  const auto end = std::min(front.end, front.begin + events);
  auto count = room_for(*front.events, front.begin, end);
  std::size_t size = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    size += front.events->entries[front.begin + i].footprint;
    if (size > bytes && i > 0)
      count = i;
  }
  if (count == 0)
    return false;
  into = {front.events, front.begin, front.begin + count, 0};
  as = send(into.events, into.begin, into.end);
  into.first_seq = as.dseq;
  front.begin += count;
  if (front.size() == 0)
    waiting_.pop_front();
  return true;
}

/// Part of what the peer has not seen, under the numbers it had. The window has counted it already.
bool destination::next_repeat(std::uint32_t events, std::size_t bytes, slice& into) {
  const auto after =
      std::upper_bound(sent_.begin(), sent_.end(), resend_at_,
                       [](std::uint64_t dseq, const slice& part) { return dseq < part.first_seq; });
  const auto& part = *std::prev(after);
  const auto begin = part.begin + static_cast<std::uint32_t>(resend_at_ - part.first_seq);
  const auto gap = gaps_.upper_bound(resend_at_); // is told with the event behind it
  if (gap != gaps_.end())
    events = static_cast<std::uint32_t>(std::min<std::uint64_t>(events, gap->first - resend_at_));
  auto end = begin;
  std::size_t size = 0;
  while (end < part.end && end - begin < events) {
    size += part.events->entries[end].footprint;
    if (size > bytes && end > begin)
      break;
    ++end;
  }
  into = {part.events, begin, end, resend_at_};
  resend_at_ += end - begin;
  return true;
}

// -- the peer's news ------------------------------------------------------------------------

expected<void> destination::conclude(std::uint64_t first, std::uint64_t count, fate how,
                                     drop_reason why, time_point now, effect_list& out) {
  if (removed_)
    return {}; // dropped and counted already: late news
  if (count == 0 || first == 0 || count > next_dseq_ || first > next_dseq_ - count)
    return fail(errc::protocol, "the peer concludes events that '" + how_.name +
                                    "' was never sent: " + std::to_string(count) + " from " +
                                    std::to_string(first) + ", sent up to " +
                                    std::to_string(next_dseq_ - 1));
  if (seat_ != nullptr && how == fate::dropped &&
      (why == drop_reason::unsubscribed || why == drop_reason::stopped)) {
    seat_->leave(); // it is ending: with its end, what it has not concluded is another member's
    return {};
  }
  const auto end = first + count;
  auto from = std::max(first, base_);
  bool moved = false;
  while (from < end) { // what is not concluded yet, between what is
    const auto after = done_.upper_bound(from);
    if (after != done_.begin() && std::prev(after)->second > from) {
      from = std::prev(after)->second;
      continue;
    }
    const auto to = after == done_.end() ? end : std::min(end, after->first);
    conclude_part(from, to, how, why, out);
    if (from == base_) // in turn, as nearly always
      base_ = to;
    else
      note_done(from, to);
    moved = true;
    from = to;
  }
  if (moved) {
    forget_concluded();
    if (const auto missed = owed_.note_progress(now))
      out.emplace_back(effects::recovered{how_.index, *missed});
    update_gate(out);
  }
  return {};
}

/// Out of turn: joined with what is concluded beside it.
void destination::note_done(std::uint64_t from, std::uint64_t to) {
  const auto at = done_.emplace(from, to).first;
  if (const auto after = std::next(at); after != done_.end() && after->first == to) {
    at->second = after->second;
    done_.erase(after);
  }
  if (at != done_.begin() && std::prev(at)->second == from) {
    std::prev(at)->second = at->second;
    done_.erase(at);
  }
}

void destination::conclude_part(std::uint64_t from, std::uint64_t to, fate how, drop_reason why,
                                effect_list& out) {
  auto part = std::prev(
      std::upper_bound(sent_.begin(), sent_.end(), from,
                       [](std::uint64_t dseq, const slice& one) { return dseq < one.first_seq; }));
  std::size_t bytes = 0;
  auto* const seat = seat_;
  for (auto dseq = from; dseq < to; ++dseq) {
    if (dseq == part->first_seq + part->size())
      ++part;
    const auto& entry = part->events->entries[part->begin + (dseq - part->first_seq)];
    if (entry.topic_hash != last_topic_ || last_row_ == nullptr)
      row_of(*entry.event);
    last_row_->count(how, why);
    bytes += entry.footprint;
    if (seat != nullptr)
      seat->concluded(*entry.event);
    if ((entry.special && entry.event->tracked_by() != nullptr) || !letters_.empty())
      settle(entry.event, how, out);
  }
  if (!gaps_.empty())
    gaps_.erase(gaps_.lower_bound(from), gaps_.lower_bound(to));
  in_flight_events_ -= to - from;
  in_flight_bytes_ -= bytes;
  owed_.take(to - from, bytes);
}

void destination::forget_concluded() {
  if (!done_.empty() && done_.begin()->first == base_) {
    base_ = done_.begin()->second;
    done_.erase(done_.begin());
  }
  resend_at_ = std::max(resend_at_, base_);
  while (!sent_.empty()) {
    auto& front = sent_.front();
    const auto end = front.first_seq + front.size();
    if (end > base_) {
      const auto gone = base_ > front.first_seq ? base_ - front.first_seq : 0;
      front.begin += static_cast<std::uint32_t>(gone);
      front.first_seq += gone;
      return;
    }
    sent_.pop_front();
  }
}

expected<void> destination::resume(std::uint64_t next) {
  if (next < base_ || next > next_dseq_)
    return fail(errc::protocol, "the peer expects event " + std::to_string(next) + " of '" +
                                    how_.name + "', which is not between " + std::to_string(base_) +
                                    " and " + std::to_string(next_dseq_));
  resend_at_ = next + (planted("resent_from_wrong_number") && next < next_dseq_ ? 1 : 0);
  return {};
}

// -- time -------------------------------------------------------------------------------------

void destination::on_check(time_point now, effect_list& out) {
  if (owed_.notice_stall(now)) {
    out.emplace_back(effects::stalled{how_.index});
    shed_beyond_budget(out);
  }
  if (owed_.gate_closed()) // others may have made room meanwhile
    update_gate(out);
}

/// What was admitted before the gate was seen closed is others' memory: with a backlog as large as
/// the budget it may be all that they have.
void destination::shed_beyond_budget(effect_list& out) {
  while (owed_.over_budget() && !waiting_.empty()) {
    auto& last = waiting_.back();
    owed_.count_missed();
    lose(*last.events->entries[--last.end].event, drop_reason::shed_stalled, out);
    if (last.size() == 0)
      waiting_.pop_back();
  }
}

void destination::check(std::size_t in_outbox) const {
  std::size_t kept = 0;
  for_each_kept([&](const envelope&) { ++kept; });
  assert(kept + in_outbox == owed_.events());
  assert(in_flight_events_ <= how_.window_events);
  assert(base_ <= resend_at_ && resend_at_ <= next_dseq_);
  assert(behind_ || waiting_.empty());
  assert(seat_ == nullptr || seat_->owed() == owed_.events());
  static_cast<void>(kept);
  static_cast<void>(in_outbox);
}

} // namespace edupulse
