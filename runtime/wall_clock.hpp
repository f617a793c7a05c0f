#pragma once
// The time of day, as events carry it.

#include <chrono>
#include <cstdint>

namespace edupulse {

/// Unix time in milliseconds.
inline std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

} // namespace edupulse
