// Order per key once something went wrong: who waits behind whom, and who goes next. The picture is
// in blocked_keys.hpp; docs/decisions.md tells what random tests found in it.

#include "actors/delivery.hpp"

namespace edupulse {

/// The head of a key ended in the handler's own hands: nothing else of the key was under way.
void delivery::pass_key(const envelope& event, std::uint64_t seq) {
  const auto key = key_of(event);
  if (blocked_.empty() || key == 0 || !blocked_.is_head(key, seq))
    return;
  blocked_.close(key);
  if (auto next = blocked_.next(key))
    ready_.emplace(next->first, std::move(next->second));
}

/// An event ended that its runner holds the key of: later ones may be on their way back.
void delivery::close_key(const envelope& event, std::uint64_t seq) {
  const auto key = key_of(event);
  if (key == 0 || (blocked_.blocked(key) && !blocked_.is_head(key, seq)))
    return;
  const bool is_new = !blocked_.blocked(key);
  blocked_.close(key);
  if (is_new)
    gather_key(key, seq);
  auto& lane = lanes_[lane_of(key)];
  lane.closing.emplace_back(key, lane.sent);
}

/// A line begins: events of the key that were put back or picked before now stand in it, or a
/// later one that queues next would become the head before them.
void delivery::gather_key(std::uint64_t key, std::uint64_t head) {
  for (auto at = ready_.begin(); at != ready_.end();) {
    if (at->first == head || key_of(*at->second) != key) {
      ++at;
      continue;
    }
    blocked_.follow(key, at->first, std::move(at->second));
    at = ready_.erase(at);
  }
  auto& staged = lanes_[lane_of(key)].staged;
  std::erase_if(staged, [&](work_item& item) {
    if (item.seq == head || key_of(*item.event) != key)
      return false;
    blocked_.follow(key, item.seq, std::move(item.event));
    return true;
  });
}

void delivery::settle_closing(lane_state& lane) {
  const auto reported = lane.sent - lane.in_flight.size();
  while (!lane.closing.empty() && lane.closing.front().second <= reported) {
    const auto key = lane.closing.front().first;
    lane.closing.pop_front();
    if (auto next = blocked_.next(key))
      ready_.emplace(next->first, std::move(next->second));
    else if (!blocked_.blocked(key))
      lane.freed.push_back(key);
  }
}

/// Not tried, or to be tried again at once: goes to its place in line.
void delivery::put_back(const envelope_ptr& event, std::uint64_t seq) {
  const auto key = key_of(*event);
  if (key != 0 && blocked_.blocked(key) && !blocked_.is_head(key, seq)) {
    blocked_.follow(key, seq, event);
    return;
  }
  ready_.emplace(seq, event);
  if (lanes_.size() > 1)
    unstage(lanes_[lane_of(key_of(*event))]);
}

/// Nothing of this event's key may overtake it from now on.
void delivery::hold_key(const envelope& event, std::uint64_t seq) {
  const auto key = key_of(event);
  if (key == 0)
    return;
  const bool is_new = !blocked_.blocked(key);
  blocked_.block(key, seq);
  if (is_new)
    gather_key(key, seq);
}

} // namespace edupulse
