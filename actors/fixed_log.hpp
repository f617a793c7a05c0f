#pragma once
// Logarithms in integers. Timeouts depend on them, and the same inputs must give the same bytes on
// every compiler and at every level of optimisation, which `std::log` does not promise.

#include <bit>
#include <cstdint>

namespace edupulse {

/// Smallest k with 2^k >= n; 0 for n = 0.
constexpr std::uint32_t ceil_log2(std::uint64_t n) noexcept {
  return n <= 1 ? 0 : static_cast<std::uint32_t>(std::bit_width(n - 1));
}

/// Smallest k with 10^k >= n; 0 for n = 0.
constexpr std::uint32_t ceil_log10(std::uint64_t n) noexcept {
  std::uint32_t k = 0;
  for (std::uint64_t power = 1; power < n && k < 19; power *= 10)
    ++k;
  return k;
}

/// log2(n) * 65536, rounded down; `n` > 0. A bit of the result for each squaring of the mantissa
/// (C. Turner, "A Fast Binary Logarithm Algorithm", 2010).
constexpr std::uint64_t log2_fixed(std::uint64_t n) noexcept {
  const auto whole = static_cast<std::uint32_t>(std::bit_width(n)) - 1;
  std::uint64_t mantissa = whole > 31 ? n >> (whole - 31) : n << (31 - whole); // [2^31, 2^32)
  std::uint64_t result = whole;
  for (int bit = 0; bit < 16; ++bit) {
    mantissa = mantissa * mantissa >> 31;
    const bool carry = mantissa >> 32 != 0;
    mantissa >>= carry ? 1 : 0;
    result = result << 1 | (carry ? 1u : 0u);
  }
  return result;
}

/// log10(n) * 1000; `n` > 0.
constexpr std::uint64_t log10_milli(std::uint64_t n) noexcept {
  constexpr std::uint64_t log10_of_2 = 1'292'913'986; // * 2^32
  return ((log2_fixed(n) * 1000 >> 8) * (log10_of_2 >> 8)) >> 32;
}

} // namespace edupulse
