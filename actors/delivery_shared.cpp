// A delivery whose subscription is a member of a group: which of its events are the group's, and
// what becomes of them when it ends. See groups.hpp.

#include "actors/delivery.hpp"
#include <utility>

namespace edupulse {

/// Chosen for it by this node, that is. An event that a peer sent is the peer's to choose anew, and
/// a redriven letter is nobody else's.
bool delivery::is_of_group(std::uint64_t seq) const {
  return seat_ != nullptr && !is_received(seq) && !is_redriven(seq);
}

bool delivery::leaves_to_others(std::uint64_t seq) const {
  return removed_why_ != drop_reason::stopped && is_of_group(seq);
}

void delivery::tell_seat(const envelope& event, std::uint64_t seq) {
  if (is_of_group(seq))
    seat_->concluded(event);
}

std::vector<envelope_ptr> delivery::hand_over() {
  std::vector<envelope_ptr> all;
  for (auto& [seq, event] : std::exchange(left_, {})) {
    ++row_of(*event, false).dropped[static_cast<std::size_t>(drop_reason::reassigned)];
    owed_.take(1, event->footprint());
    trouble_.erase(seq);
    seat_->concluded(*event);
    all.push_back(std::move(event));
  }
  seat_ = nullptr;
  return all;
}

} // namespace edupulse
