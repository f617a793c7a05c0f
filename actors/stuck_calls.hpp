#pragma once
// Calls that are past their time limit and have not returned. A thread cannot be killed from
// outside, so each of them keeps one: their number is bounded, and once they hold every worker
// thread of the node, handlers that wait for a worker are moved to threads of their own.

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>

namespace edupulse {

class stuck_calls {
public:
  struct limits {
    std::size_t workers = 0; ///< threads that `shared` handlers share; 0: no two share one
    std::size_t most = 64;   ///< one more quarantines its scope
  };
  explicit stuck_calls(limits bounds) noexcept : bounds_(bounds) {}

  void add(std::uint32_t subscription, std::uint32_t lane, std::uint32_t generation,
           bool on_worker) {
    if (calls_.emplace(std::tuple(subscription, lane, generation), on_worker).second)
      on_workers_ += on_worker;
  }
  /// It came back after all. False: it was none of these.
  bool remove(std::uint32_t subscription, std::uint32_t lane, std::uint32_t generation) {
    const auto at = calls_.find(std::tuple(subscription, lane, generation));
    if (at == calls_.end())
      return false;
    on_workers_ -= at->second;
    calls_.erase(at);
    return true;
  }

  std::size_t size() const noexcept { return calls_.size(); }
  bool too_many() const noexcept { return calls_.size() > bounds_.most; }
  bool hold_all_workers() const noexcept {
    return bounds_.workers > 0 && on_workers_ >= bounds_.workers;
  }
  const limits& bounds() const noexcept { return bounds_; }

private:
  limits bounds_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, bool> calls_;
  std::size_t on_workers_ = 0;
};

} // namespace edupulse
