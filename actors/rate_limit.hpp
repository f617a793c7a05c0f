#pragma once

#include "schemas/envelope.hpp"
#include <algorithm>
#include <cstdint>

namespace edupulse {

/// So many a second, with a burst of one second's worth. 0 allows nothing.
class rate_limit {
public:
  explicit rate_limit(std::uint32_t per_second) noexcept
      : each_(per_second > 0 ? second / per_second : duration::max()) {}

  bool allow(time_point now) noexcept {
    if (each_ == duration::max())
      return false;
    // The time at which the bucket would be empty, were nothing taken from it.
    const time_point earliest = std::max(taken_until_, now - second);
    if (earliest + each_ > now)
      return false;
    taken_until_ = earliest + each_;
    return true;
  }

private:
  static constexpr duration second = std::chrono::seconds(1);
  duration each_;
  time_point taken_until_{duration::min() / 2};
};

} // namespace edupulse
