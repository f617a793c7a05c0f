#pragma once
// Times as client libraries take them, and as people read them.

#include "schemas/envelope.hpp"
#include <cstdint>
#include <string>
#include <sys/time.h>

namespace edupulse {

inline std::int64_t as_ms(duration what) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(what).count();
}

/// "500 ms"
inline std::string ms_text(duration what) { return std::to_string(as_ms(what)) + " ms"; }

inline timeval as_timeval(duration what) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(what).count();
  return {us / 1'000'000, us % 1'000'000};
}

} // namespace edupulse
