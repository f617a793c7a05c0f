#pragma once
// Numbers that are given out in rising order and come back in any: up to where have all of them?
// Brokers that are told of one number mean all before it, too.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

namespace edupulse {

class done_prefix {
public:
  /// Greater than the last one, or nothing happens. Gaps do not matter.
  void push(std::uint64_t number) {
    if (open_.empty() || number > open_.back().number)
      open_.push_back({number});
  }
  /// A number that is not open is ignored.
  void done(std::uint64_t number) {
    const auto at = std::ranges::lower_bound(open_, number, {}, &entry::number);
    if (at != open_.end() && at->number == number)
      at->is_done = true;
  }
  /// The last number that has come back with all before it, which are forgotten; nothing when there
  /// is none that `take` has not told.
  std::optional<std::uint64_t> take() {
    std::optional<std::uint64_t> last;
    for (; !open_.empty() && open_.front().is_done; open_.pop_front())
      last = open_.front().number;
    return last;
  }
  std::size_t size() const noexcept { return open_.size(); }

private:
  struct entry {
    std::uint64_t number;
    bool is_done = false;
  };
  std::deque<entry> open_;
};

} // namespace edupulse
