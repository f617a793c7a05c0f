#include "schemas/envelope_pool.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace edupulse::envelope_pool {

namespace {

constexpr std::size_t granule = 64;
constexpr std::size_t class_count = max_pooled_bytes / granule;
/// Blocks that change hands at once. A thread keeps up to two batches of each size.
constexpr std::uint32_t batch_blocks = 64;

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / granule;
}
constexpr std::size_t bytes_of(std::size_t size_class) noexcept {
  return (size_class + 1) * granule;
}

/// What a free block holds.
struct free_block {
  free_block* next;
  free_block* next_batch; // in the first block of a batch
};

void release_all(free_block* first) noexcept {
  while (first != nullptr)
    ::operator delete(std::exchange(first, first->next));
}

// -- the common store ---------------------------------------------------------------------

struct shelf {
  std::mutex lock;
  free_block* batches = nullptr;
};

/// Never destroyed: the last envelope may die after everything static.
struct store {
  std::array<shelf, class_count> shelves;
  std::atomic<std::size_t> bytes{0};
};

store& common() noexcept {
  static store* const the_store = new store;
  return *the_store;
}

void put(std::size_t size_class, free_block* batch) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::size_t bytes = batch_blocks * bytes_of(size_class);
  store& to = common();
  if (to.bytes.fetch_add(bytes, relaxed) + bytes > max_stored_bytes) {
    to.bytes.fetch_sub(bytes, relaxed);
    return release_all(batch);
  }
  shelf& on = to.shelves[size_class];
  const std::lock_guard guard(on.lock);
  batch->next_batch = std::exchange(on.batches, batch);
}

/// Null when there is none.
free_block* take(std::size_t size_class) noexcept {
  store& from = common();
  shelf& on = from.shelves[size_class];
  free_block* batch = nullptr;
  {
    const std::lock_guard guard(on.lock);
    batch = on.batches;
    if (batch == nullptr)
      return nullptr;
    on.batches = batch->next_batch;
  }
  from.bytes.fetch_sub(batch_blocks * bytes_of(size_class), std::memory_order_relaxed);
  return batch;
}

// -- a thread's own blocks -------------------------------------------------------------------

/// Free blocks of one size: `open` is used first; `full` is a whole batch, or null. A thread that
/// frees and allocates in turns never gets to the store.
struct bin {
  free_block* open = nullptr;
  free_block* full = nullptr;
  std::uint32_t open_count = 0;
};

struct thread_bins {
  std::array<bin, class_count> bins;
  ~thread_bins();
};

// Beside the object that owns them, because a pointer without a destructor is read without a guard.
constinit thread_local thread_bins* this_threads = nullptr;
constinit thread_local bool thread_is_ending = false;

thread_bins::~thread_bins() {
  this_threads = nullptr;
  thread_is_ending = true;
  for (std::size_t i = 0; i < class_count; ++i) {
    release_all(bins[i].open);
    if (bins[i].full != nullptr)
      put(i, bins[i].full);
  }
}

/// Null when the thread is ending.
thread_bins* bins_of_thread() {
  if (this_threads == nullptr && !thread_is_ending) [[unlikely]] {
    thread_local thread_bins mine;
    this_threads = &mine;
  }
  return this_threads;
}

bool refill(bin& from, std::size_t size_class) noexcept {
  from.open = from.full != nullptr ? std::exchange(from.full, nullptr) : take(size_class);
  from.open_count = from.open != nullptr ? batch_blocks : 0;
  return from.open != nullptr;
}

} // namespace

void* allocate(std::size_t bytes) {
  if (!enabled || bytes > max_pooled_bytes)
    return ::operator new(bytes);
  const std::size_t size_class = class_of(bytes);
  if (thread_bins* mine = bins_of_thread()) {
    bin& from = mine->bins[size_class];
    if (from.open != nullptr || refill(from, size_class)) {
      --from.open_count;
      return std::exchange(from.open, from.open->next);
    }
  }
  return ::operator new(bytes_of(size_class));
}

void free(void* block, std::size_t bytes) noexcept {
  if (!enabled || bytes > max_pooled_bytes)
    return ::operator delete(block);
  thread_bins* mine = bins_of_thread();
  if (mine == nullptr)
    return ::operator delete(block);
  const std::size_t size_class = class_of(bytes);
  bin& to = mine->bins[size_class];
  if (to.open_count == batch_blocks) {
    if (to.full != nullptr)
      put(size_class, to.full);
    to.full = std::exchange(to.open, nullptr);
    to.open_count = 0;
  }
  to.open = new (block) free_block{to.open, nullptr};
  ++to.open_count;
}

std::size_t stored_bytes() noexcept { return common().bytes.load(std::memory_order_relaxed); }

} // namespace edupulse::envelope_pool
