#pragma once

#include "schemas/envelope.hpp"
#include <cstdint>

namespace edupulse {

/// How far a node may raise its own incarnation. Whoever accuses it makes it do so, and a malicious
/// member could use the numbers up: so at most a thousand in a minute. One larger step in a minute
/// is allowed, because others believe steps of that size, and what they believe must be possible to
/// outdo; at that rate 64 bits last for millions of years.
class refutation_limit {
public:
  static constexpr std::uint64_t max_step = std::uint64_t{1} << 20;
  static constexpr std::uint64_t per_minute = 1000;

  enum class verdict : std::uint8_t { allowed, allowed_once, refused };

  verdict ask(std::uint64_t step, time_point now) noexcept {
    if (now >= since_ + std::chrono::minutes(1)) {
      since_ = now;
      raised_ = 0;
      leapt_ = false;
    }
    if (step <= per_minute - raised_) {
      raised_ += step;
      return verdict::allowed;
    }
    if (step <= per_minute || step > max_step || leapt_)
      return verdict::refused;
    leapt_ = true;
    return verdict::allowed_once;
  }

private:
  time_point since_{duration::min() / 2};
  std::uint64_t raised_ = 0;
  bool leapt_ = false;
};

} // namespace edupulse
