#pragma once
// Exponential back-off with full jitter: the wait before try n is even in [0, min(cap, first *
// factor^(n-1))]. Full jitter spreads a crowd of failures out best for the load it makes (M.
// Brooker, "Exponential Backoff And Jitter", 2015).

#include "actors/options.hpp"
#include <cmath>
#include <cstdint>

namespace edupulse {

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough to spread waits.
class random_source {
public:
  explicit random_source(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Even in [0, 1).
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
  std::uint64_t state_;
};

/// Upper end of the wait before try `n` (1 is the first retry).
inline duration back_off_ceiling(const retry_options& how, std::uint32_t n) {
  const double cap = static_cast<double>(how.cap.count());
  const double raw = static_cast<double>(how.first.count()) *
                     std::pow(how.factor, static_cast<double>(n > 0 ? n - 1 : 0));
  return duration(static_cast<duration::rep>(raw < cap ? raw : cap));
}

inline duration full_jitter(const retry_options& how, std::uint32_t n, random_source& chance) {
  const double top = static_cast<double>(back_off_ceiling(how, n).count());
  return duration(static_cast<duration::rep>(top * chance.unit()));
}

} // namespace edupulse
