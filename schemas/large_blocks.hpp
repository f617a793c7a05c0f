#pragma once
// Blocks of an event of 64 KiB and more, kept for the next one. The general allocator gives memory
// of that size back to the system at once, and its next use is a page fault for each 4 KiB: more
// than copying the bytes.

#include <cstddef>
#include <mutex>
#include <vector>

namespace edupulse {

/// Thread-safe.
class large_blocks {
public:
  static constexpr std::size_t least_bytes = 64u << 10;
  /// Too small: a few large events in a row find nothing. Too large: it stays with the process.
  static constexpr std::size_t max_kept_bytes = 8u << 20;

  large_blocks() = default;
  ~large_blocks();
  large_blocks(const large_blocks&) = delete;
  large_blocks& operator=(const large_blocks&) = delete;

  /// 16-aligned, of `bytes` or a little more. Throws `std::bad_alloc`.
  void* take(std::size_t bytes);
  /// `bytes` as given to `take`.
  void give(void* block, std::size_t bytes) noexcept;
  std::size_t kept_bytes() const noexcept;

private:
  struct kept {
    void* block;
    std::size_t bytes;
  };
  /// Sizes that are not the same to the byte serve each other.
  static constexpr std::size_t rounded(std::size_t bytes) noexcept {
    return (bytes + least_bytes - 1) / least_bytes * least_bytes;
  }

  mutable std::mutex lock_;
  std::vector<kept> kept_; ///< the last one came last
  std::size_t kept_bytes_ = 0;
};

} // namespace edupulse
