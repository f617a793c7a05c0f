#pragma once
// Where the blocks of the envelope pool come from: regions of two megabytes, cut into spans of 64
// KiB, each of which holds blocks of one size. A general allocator is no place for them: outside of
// the main thread glibc's heaps grow by a system call for each page, and a backlog that fills takes
// a page fault for each seven events. A region past the first is meant to be one huge page, if the
// system allows (transparent huge pages), and that is one fault for four thousand of them.
//
// A region goes back to the system when all of its blocks are free, but for a few. (Bonwick: "The
// Slab Allocator", USENIX 1994; which blocks of a span are free is kept in bits, apart from the
// blocks, so that giving many back touches none of them.)

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace edupulse {

/// Thread-safe. Blocks still out when it is destroyed are gone with it.
class block_depot {
public:
  static constexpr std::size_t granule = 64;
  static constexpr std::size_t class_count = 32;
  static constexpr std::size_t region_bytes = 2u << 20;
  static constexpr std::size_t span_bytes = 64u << 10;
  /// Empty regions that stay mapped. Too few: each burst asks the system. Too many: memory of a
  /// burst stays with the process.
  static constexpr std::size_t spare_regions = 2;

  block_depot() = default;
  ~block_depot();
  block_depot(const block_depot&) = delete;
  block_depot& operator=(const block_depot&) = delete;

  static constexpr std::size_t bytes_of(std::size_t size_class) noexcept {
    return (size_class + 1) * granule;
  }
  /// Up to `count` blocks of `bytes_of(size_class)`, aligned to `granule`, into `into`. Fewer only
  /// when the system gives no memory. Their bytes are anything.
  std::size_t take(std::size_t size_class, void** into, std::size_t count) noexcept;
  /// Blocks that `take` gave for the same class.
  void give(std::size_t size_class, void* const* blocks, std::size_t count) noexcept;
  std::size_t mapped_bytes() const noexcept;

private:
  struct span;
  struct region;
  /// Doubly linked; a span is in one list at most.
  struct span_list {
    span* first = nullptr;
    void push(span& what) noexcept;
    void remove(span& what) noexcept;
  };

  span* span_with_room(std::size_t size_class) noexcept;
  bool map_region() noexcept;
  void span_is_empty(span& which, region& in) noexcept;

  mutable std::mutex lock_;
  std::array<span_list, class_count> with_room_;
  span_list empty_; ///< of no class
  region* regions_ = nullptr;
  std::size_t mapped_ = 0;
  std::size_t spare_ = 0; ///< regions in which every span is empty
};

} // namespace edupulse
