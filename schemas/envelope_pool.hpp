#pragma once
// Memory for envelopes. An envelope is allocated by the thread that publishes and freed by the one
// that lets go last, mostly another; for a general allocator that is the worst case (two threads
// passing blocks of 600 bytes spend 35 to 300 ns for each with glibc's). So each thread keeps
// blocks of its own, and threads trade them through a common store a batch at a time.
//
// Blocks come from a depot (schemas/block_depot.hpp), and go back to it when the store is full.

#include <cstddef>

namespace edupulse::envelope_pool {

// Under AddressSanitizer nothing is pooled: a block that is not really freed would hide what it
// looks for.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool enabled = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool enabled = false;
#else
inline constexpr bool enabled = true;
#endif
#else
inline constexpr bool enabled = true;
#endif

/// Larger blocks come from the general allocator, and those of 64 KiB and more are kept for the
/// next one (schemas/large_blocks.hpp).
inline constexpr std::size_t max_pooled_bytes = 2048;
/// Bytes of free blocks that the common store keeps. Too small: bursts pay the general allocator.
/// Too large: memory of a burst stays with the process.
inline constexpr std::size_t max_stored_bytes = 4 * 1024 * 1024;

/// 16-aligned. Throws `std::bad_alloc`. Any thread.
void* allocate(std::size_t bytes);

/// `bytes` as given to `allocate`. Any thread.
void free(void* block, std::size_t bytes) noexcept;

/// Bytes of free blocks in the common store, for tests and metrics.
std::size_t stored_bytes() noexcept;

} // namespace edupulse::envelope_pool
