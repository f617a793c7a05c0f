#pragma once
// Asking for memory ahead of its use. An event is written on one core and read on another, and each
// cache line of it takes as long to come over as handling the rest of it takes: the loops that walk
// many events ask for those further on before they look at the one at hand.

#include <cstddef>

namespace edupulse {

inline constexpr std::size_t cache_line_bytes = 64;

/// `count` lines from `from` on, to be read. Any address is allowed, also one that is not mapped.
template <std::size_t count> inline void prefetch_lines(const void* from) noexcept {
  for (std::size_t i = 0; i < count; ++i)
    __builtin_prefetch(static_cast<const char*>(from) + i * cache_line_bytes);
}

/// `bytes` from `from` on, to be written.
inline void prefetch_to_write(const void* from, std::size_t bytes) noexcept {
  for (std::size_t at = 0; at < bytes; at += cache_line_bytes)
    __builtin_prefetch(static_cast<const char*>(from) + at, 1);
}

} // namespace edupulse
