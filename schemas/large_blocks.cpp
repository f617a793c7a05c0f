#include "schemas/large_blocks.hpp"

#include <algorithm>
#include <new>

namespace edupulse {

large_blocks::~large_blocks() {
  for (const auto& one : kept_)
    ::operator delete(one.block);
}

void* large_blocks::take(std::size_t bytes) {
  const auto wanted = rounded(bytes);
  {
    const std::lock_guard guard(lock_);
    const auto last = std::find_if(kept_.rbegin(), kept_.rend(),
                                   [&](const kept& one) { return one.bytes == wanted; });
    if (last != kept_.rend()) {
      void* const block = last->block;
      kept_bytes_ -= wanted;
      kept_.erase(std::next(last).base());
      return block;
    }
  }
  return ::operator new(wanted);
}

/// What has lain longest makes room: sizes that nobody asks for do not stay.
void large_blocks::give(void* block, std::size_t bytes) noexcept {
  const auto size = rounded(bytes);
  if (size > max_kept_bytes)
    return ::operator delete(block);
  const std::lock_guard guard(lock_);
  try {
    kept_.push_back({block, size});
  } catch (const std::bad_alloc&) {
    return ::operator delete(block);
  }
  kept_bytes_ += size;
  while (kept_bytes_ > max_kept_bytes) {
    ::operator delete(kept_.front().block);
    kept_bytes_ -= kept_.front().bytes;
    kept_.erase(kept_.begin());
  }
}

std::size_t large_blocks::kept_bytes() const noexcept {
  const std::lock_guard guard(lock_);
  return kept_bytes_;
}

} // namespace edupulse
