#pragma once
// Which members there is news of, and how often it was passed on. One entry a member: newer news
// replaces older, so the queue is bounded by the table. What was sent least goes first, so that in
// a flood all of it gets through rather than some of it often.

#include "actors/member_table.hpp"
#include <algorithm>
#include <vector>

namespace edupulse {

class gossip_queue {
public:
  /// News of this member, to be passed on from the start.
  void push(member_slot about) {
    drop(about);
    entries_.insert(entries_.begin(), {about, 0});
  }
  void drop(member_slot about) {
    std::erase_if(entries_, [about](const entry& one) { return one.about == about; });
  }
  void clear() noexcept { entries_.clear(); }
  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }

  /// Offers members to `add(slot)`, which returns false when there is no more room. Each taken one
  /// counts as sent `times` times; at `limit` it is done with.
  template <class Add> void take(std::uint32_t limit, std::uint32_t times, Add add) {
    std::size_t taken = 0;
    while (taken < entries_.size() && add(entries_[taken].about))
      entries_[taken++].sends += times;
    // Both halves are sorted; of equals, those that waited come first.
    if (taken > 0 && taken < entries_.size()) {
      std::rotate(entries_.begin(), at(taken), entries_.end());
      std::inplace_merge(entries_.begin(), at(entries_.size() - taken), entries_.end(), less);
    }
    while (!entries_.empty() && entries_.back().sends >= limit)
      entries_.pop_back();
  }

private:
  struct entry {
    member_slot about;
    std::uint32_t sends;
  };
  static bool less(const entry& a, const entry& b) noexcept { return a.sends < b.sends; }
  std::vector<entry>::iterator at(std::size_t i) {
    return entries_.begin() + static_cast<std::ptrdiff_t>(i);
  }

  std::vector<entry> entries_; // by `sends`
};

} // namespace edupulse
