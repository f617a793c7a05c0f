#pragma once
// Random tests print the number they began with; EDUPULSE_SEED=<number> runs them again with it.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace edupulse::test {

/// One number reproduces one run: everything random in a test must come from this source. When a
/// test fails, Catch prints the `INFO` that the caller made of `seed()`.
class random_numbers {
public:
  random_numbers() : random_numbers(seed_or_random()) {}
  explicit random_numbers(std::uint64_t seed) : seed_(seed), engine_(seed) {}

  std::uint64_t seed() const noexcept { return seed_; }
  std::uint64_t next() { return engine_(); }
  /// From 0 to `bound` - 1; `bound` must not be 0. (The modulo's bias does not matter to a test.)
  template <class Number> Number below(Number bound) {
    return static_cast<Number>(engine_() % static_cast<std::uint64_t>(bound));
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

private:
  static std::uint64_t seed_or_random() {
    const char* given = std::getenv("EDUPULSE_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "EDUPULSE_SEED=" << seed << '\n';
    return seed;
  }

  std::uint64_t seed_;
  std::mt19937_64 engine_; // the same numbers on every platform
};

/// How many seeds: `n`, and twenty times that in a soak.
inline std::uint64_t runs(std::uint64_t n) {
  return std::getenv("EDUPULSE_SOAK") != nullptr ? 20 * n : n;
}

/// Seeds of one run follow from the number that the test printed.
inline std::uint64_t first_seed() {
  static random_numbers chance;
  return chance.seed();
}

} // namespace edupulse::test
