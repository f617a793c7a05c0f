// Handing out. A lane (one handler actor) that has nothing gets at once whatever there is; a busy
// one gets a full batch or waits until it is free, so that batches grow with load by themselves.
// The size of a batch follows the handler: about two milliseconds of its work, at most 256 events,
// so that a slow handler answers often and a crash takes little back.

#include "actors/delivery.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

namespace {
constexpr double batch_target_ns = 2e6;
constexpr std::size_t batches_in_flight = 4;
constexpr std::uint32_t first_batch = 32;
constexpr std::uint32_t least_part = 8; ///< of a window
} // namespace

std::uint32_t delivery::fitting_batch(const lane_state& lane) {
  if (lane.event_ns <= 0)
    return first_batch;
  return static_cast<std::uint32_t>(
      std::clamp(batch_target_ns / lane.event_ns, 1.0, double{max_batch}));
}

/// What a handler has deferred it still has in hand. A probe may be one more than the window.
std::uint32_t delivery::room_of(const lane_state& lane) const {
  const auto deferred = planted("deferrals_without_bound") ? 0 : lane.deferred;
  const auto in_hand = lane.in_flight_events + deferred;
  return how_.options.window - std::min(how_.options.window, in_hand);
}

std::uint32_t delivery::lane_of(std::uint64_t key) const {
  if (lanes_.size() == 1)
    return 0;
  if (key != 0) // the high half of a product is even in [0, lanes)
    return static_cast<std::uint32_t>(((key >> 32) * lanes_.size()) >> 32);
  std::uint32_t best = 0;
  for (std::uint32_t at = 1; at < lanes(); ++at)
    if (lanes_[at].in_flight_events + lanes_[at].staged.size() <
        lanes_[best].in_flight_events + lanes_[best].staged.size())
      best = at;
  return best;
}

void delivery::dispatch(time_point now, effect_list& out) {
  if (paused_ || removed_ || quarantined_ || !has_anything_to_send())
    return;
  if (!breaker_.closed()) {
    dispatch_probe(now, out);
    return;
  }
  if (lanes_.size() > 1)
    distribute(static_cast<std::size_t>(how_.options.window) * lanes_.size());
  for (std::uint32_t at = 0; at < lanes(); ++at)
    dispatch_lane(at, now, out);
}

bool delivery::has_anything_to_send() const noexcept {
  return has_work() || std::any_of(lanes_.begin(), lanes_.end(),
                                   [](const lane_state& lane) { return !lane.staged.empty(); });
}

void delivery::dispatch_lane(std::uint32_t at, time_point now, effect_list& out) {
  auto& lane = lanes_[at];
  // The breaker may have been closed by a deferral, or by another lane. What this one's runner was
  // sent before gave it up comes back, and must not be overtaken.
  if (lane.sent - lane.in_flight.size() < lane.returning && !planted("returned_overtaken"))
    return;
  while (lane.up && lane.in_flight.size() < batches_in_flight) {
    const auto fitting = fitting_batch(lane);
    const auto room = room_of(lane);
    const auto limit = std::min(fitting, room);
    const auto there = lanes_.size() > 1 ? lane.staged.size() : waiting_events_ + ready_.size();
    if (there == 0 || limit == 0 || (there < limit && !lane.in_flight.empty()))
      return;
    // Deferrals may be completed one by one, and batches would be as small: room is gathered.
    if (room < there && room < std::min(fitting, how_.options.window / least_part))
      return;
    auto work = std::make_shared<batch>(how_.index, at, lane.generation);
    if (lanes_.size() > 1)
      take_staged(lane, limit, *work);
    else if (take_ready(limit, *work))
      take_waiting(limit, *work);
    if (work->size() == 0)
      return; // all of it stands behind blocked keys
    send(at, std::move(work), now, out);
  }
}

void delivery::take_staged(lane_state& lane, std::size_t limit, batch& into) {
  work_item item;
  while (!lane.staged.empty() && into.items.size() < limit) {
    auto& next = lane.staged.front(); // its key may have been blocked since it was staged
    if (place(next.seq, std::move(next.event), item))
      into.items.push_back(std::move(item));
    lane.staged.pop_front();
  }
}

/// An earlier event came back: what was picked for this lane goes back in line behind it.
void delivery::unstage(lane_state& lane) {
  for (auto& item : std::exchange(lane.staged, {}))
    ready_.emplace(item.seq, std::move(item.event));
}

/// False when nothing more may be taken after it.
bool delivery::take_ready(std::size_t limit, batch& into) {
  while (!ready_.empty() && into.items.size() < limit) {
    auto first = ready_.begin();
    work_item item;
    if (place(first->first, std::move(first->second), item))
      into.items.push_back(std::move(item));
    ready_.erase(first);
  }
  const bool line_is_blocked = how_.options.order == event_order::strict && !blocked_.empty();
  return into.items.size() < limit && !line_is_blocked;
}

void delivery::take_waiting(std::size_t limit, batch& into) {
  if (into.items.empty() && blocked_.empty()) {
    if (waiting_.empty())
      return;
    auto& front = waiting_.front();
    into.fresh = front;
    into.fresh.end = front.begin + std::min(front.size(), static_cast<std::uint32_t>(limit));
    if (!gaps_.empty()) { // a slice has one before its first event or none: what is lost splits it
      into.fresh_gap = take_gap(front.first_seq);
      const auto next = gaps_.upper_bound(front.first_seq);
      if (next != gaps_.end() && next->first < front.first_seq + into.fresh.size())
        into.fresh.end = front.begin + static_cast<std::uint32_t>(next->first - front.first_seq);
    }
    front.begin = into.fresh.end;
    front.first_seq += into.fresh.size();
    waiting_events_ -= into.fresh.size();
    if (front.size() == 0)
      waiting_.pop_front();
    return;
  }
  work_item item;
  while (into.items.size() < limit && pop_waiting(item))
    if (place(item.seq, std::move(item.event), item))
      into.items.push_back(std::move(item));
}

bool delivery::pop_waiting(work_item& into) {
  if (waiting_.empty())
    return false;
  auto& front = waiting_.front();
  into.event = front.events->entries[front.begin].event;
  into.seq = front.first_seq;
  ++front.begin;
  ++front.first_seq;
  --waiting_events_;
  if (front.size() == 0)
    waiting_.pop_front();
  return true;
}

/// Makes the item that travels, or parks the event behind the head of its key: then false.
bool delivery::place(std::uint64_t seq, envelope_ptr event, work_item& into) {
  const auto key = key_of(*event);
  bool opens = false;
  if (key != 0 && !blocked_.empty() && blocked_.blocked(key)) {
    opens = blocked_.is_head(key, seq);
    if (!opens) {
      blocked_.follow(key, seq, std::move(event));
      return false;
    }
  }
  const auto past = trouble_.find(seq);
  into = work_item{std::move(event), seq, past == trouble_.end() ? 1 : past->second.attempts + 1,
                   opens, gaps_.empty() ? 0 : take_gap(seq)};
  return true;
}

/// With several lanes: picks events for each by key until one lane's share is full.
void delivery::distribute(std::size_t limit) {
  std::size_t staged = 0;
  for (const auto& lane : lanes_)
    staged += lane.staged.size();
  auto stage = [&](work_item& item) {
    auto& lane = lanes_[lane_of(key_of(*item.event))];
    lane.staged.push_back(std::move(item));
    return ++staged < limit && lane.staged.size() < how_.options.window;
  };
  work_item item;
  while (!ready_.empty()) {
    auto first = ready_.begin();
    const bool placed = place(first->first, std::move(first->second), item);
    ready_.erase(first);
    if (placed && !stage(item))
      return;
  }
  while (staged < limit && pop_waiting(item))
    if (place(item.seq, std::move(item.event), item) && !stage(item))
      return;
}

/// The breaker is open: when its wait is over, one event goes out to see.
void delivery::dispatch_probe(time_point now, effect_list& out) {
  if (breaker_.now_is() != breaker::state::open || now < breaker_.until())
    return;
  for (std::uint32_t at = 0; at < lanes(); ++at) {
    auto& lane = lanes_[at];
    if (!lane.up || lane.sent - lane.in_flight.size() < lane.returning)
      continue; // as in dispatch_lane
    auto work = std::make_shared<batch>(how_.index, at, lane.generation);
    if (lanes_.size() > 1) {
      distribute(lanes_.size());
      take_staged(lane, 1, *work);
    } else if (take_ready(1, *work)) {
      take_waiting(1, *work);
    }
    if (work->size() == 0)
      continue;
    breaker_.probe();
    send(at, std::move(work), now, out);
    return;
  }
}

void delivery::send(std::uint32_t at, batch_ptr work, time_point now, effect_list& out) {
  auto& lane = lanes_[at];
  work->freed_keys = std::exchange(lane.freed, {});
  work->probe = std::exchange(lane.wants_probe, false);
  work->sent_at = now;
  lane.in_flight_events += work->size();
  lane.in_flight.push_back(work);
  ++lane.sent;
  out.emplace_back(effects::dispatch{std::move(work)});
}

} // namespace edupulse
