#include "schemas/block_depot.hpp"

#include <algorithm>
#include <new>
#include <sys/mman.h>

namespace edupulse {

namespace {

constexpr std::size_t most_blocks = block_depot::span_bytes / block_depot::granule;
constexpr std::size_t spans_of_region = block_depot::region_bytes / block_depot::span_bytes - 1;

std::uintptr_t address_of(const void* what) noexcept {
  return reinterpret_cast<std::uintptr_t>(what);
}

/// `region_bytes`, aligned to as many. Null: the system gives none.
void* map_aligned() noexcept {
  constexpr auto bytes = block_depot::region_bytes;
  void* const raw =
      ::mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED)
    return nullptr;
  auto* const begin = static_cast<std::byte*>(raw);
  const auto before = (bytes - address_of(raw) % bytes) % bytes;
  if (before > 0)
    ::munmap(begin, before);
  ::munmap(begin + before + bytes, bytes - before);
  return begin + before;
}

} // namespace

struct block_depot::span {
  std::array<std::uint64_t, most_blocks / 64> free_bits; ///< by place
  span* before = nullptr;
  span* after = nullptr;
  std::uint32_t blocks = 0;
  std::uint32_t free = 0;

  void begin_with(std::size_t size_class) noexcept {
    blocks = free = static_cast<std::uint32_t>(span_bytes / bytes_of(size_class));
    for (std::size_t word = 0; word < free_bits.size(); ++word) {
      const auto left = blocks > word * 64 ? blocks - word * 64 : 0;
      free_bits[word] = left >= 64 ? ~std::uint64_t(0) : (std::uint64_t(1) << left) - 1;
    }
  }
};

/// At the begin of its memory, where the first span would be.
struct block_depot::region {
  region* before = nullptr;
  region* after = nullptr;
  std::size_t empty_spans = spans_of_region;
  std::array<span, spans_of_region> spans;

  static region& of(void* block) noexcept {
    return *reinterpret_cast<region*>(address_of(block) & ~(region_bytes - 1));
  }
  std::byte* memory_of(const span& which) noexcept {
    const auto place = static_cast<std::size_t>(&which - spans.data());
    return reinterpret_cast<std::byte*>(this) + (place + 1) * span_bytes;
  }
  span& span_of(void* block) noexcept {
    return spans[address_of(block) % region_bytes / span_bytes - 1];
  }
};

void block_depot::span_list::push(span& what) noexcept {
  what.before = nullptr;
  what.after = first;
  if (first != nullptr)
    first->before = &what;
  first = &what;
}

void block_depot::span_list::remove(span& what) noexcept {
  (what.before != nullptr ? what.before->after : first) = what.after;
  if (what.after != nullptr)
    what.after->before = what.before;
}

block_depot::~block_depot() {
  while (regions_ != nullptr) {
    auto* const gone = regions_;
    regions_ = gone->after;
    ::munmap(gone, region_bytes);
  }
}

std::size_t block_depot::mapped_bytes() const noexcept {
  const std::lock_guard guard(lock_);
  return mapped_;
}

bool block_depot::map_region() noexcept {
  static_assert(sizeof(region) <= span_bytes);
  void* const memory = map_aligned();
  if (memory == nullptr)
    return false;
  // The first one is what a quiet process needs, and most of it stays untouched.
  if (regions_ != nullptr)
    ::madvise(memory, region_bytes, MADV_HUGEPAGE);
  auto* const made = new (memory) region;
  made->after = regions_;
  if (regions_ != nullptr)
    regions_->before = made;
  regions_ = made;
  for (auto at = made->spans.rbegin(); at != made->spans.rend(); ++at)
    empty_.push(*at);
  mapped_ += region_bytes;
  ++spare_;
  return true;
}

block_depot::span* block_depot::span_with_room(std::size_t size_class) noexcept {
  auto& those = with_room_[size_class];
  if (those.first != nullptr)
    return those.first;
  if (empty_.first == nullptr && !map_region())
    return nullptr;
  auto* const fresh = empty_.first;
  empty_.remove(*fresh);
  auto& in = region::of(fresh);
  spare_ -= in.empty_spans == spans_of_region;
  --in.empty_spans;
  fresh->begin_with(size_class);
  those.push(*fresh);
  return fresh;
}

std::size_t block_depot::take(std::size_t size_class, void** into, std::size_t count) noexcept {
  const std::lock_guard guard(lock_);
  std::size_t taken = 0;
  while (taken < count) {
    auto* const from = span_with_room(size_class);
    if (from == nullptr)
      break;
    auto* const memory = region::of(from).memory_of(*from);
    for (std::size_t word = 0; word < from->free_bits.size() && taken < count; ++word) {
      auto& bits = from->free_bits[word];
      for (; bits != 0 && taken < count; bits &= bits - 1) {
        const auto place = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        into[taken++] = memory + place * bytes_of(size_class);
        --from->free;
      }
    }
    if (from->free == 0)
      with_room_[size_class].remove(*from);
  }
  return taken;
}

void block_depot::give(std::size_t size_class, void* const* blocks, std::size_t count) noexcept {
  const std::lock_guard guard(lock_);
  for (std::size_t i = 0; i < count; ++i) {
    auto& in = region::of(blocks[i]);
    auto& to = in.span_of(blocks[i]);
    const auto offset = static_cast<std::byte*>(blocks[i]) - in.memory_of(to);
    const auto place = static_cast<std::size_t>(offset) / bytes_of(size_class);
    to.free_bits[place / 64] |= std::uint64_t(1) << place % 64;
    if (to.free++ == 0)
      with_room_[size_class].push(to);
    if (to.free == to.blocks) {
      with_room_[size_class].remove(to);
      span_is_empty(to, in);
    }
  }
}

void block_depot::span_is_empty(span& which, region& in) noexcept {
  empty_.push(which);
  if (++in.empty_spans < spans_of_region)
    return;
  if (spare_ < spare_regions) {
    ++spare_;
    return;
  }
  for (auto& one : in.spans)
    empty_.remove(one);
  (in.before != nullptr ? in.before->after : regions_) = in.after;
  if (in.after != nullptr)
    in.after->before = in.before;
  mapped_ -= region_bytes;
  ::munmap(&in, region_bytes);
}

} // namespace edupulse
