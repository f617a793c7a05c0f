#pragma once
// Random numbers of the operating system, for seeds and ids.

#include <cstdint>
#include <random>

namespace edupulse {

inline std::uint64_t draw_number() {
  std::random_device chance;
  return static_cast<std::uint64_t>(chance()) << 32 ^ chance();
}

} // namespace edupulse
