#include "schemas/envelope_pool.hpp"

#include "schemas/block_depot.hpp"
#include "schemas/large_blocks.hpp"
#include "schemas/prefetch.hpp"
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace edupulse::envelope_pool {

namespace {

using depot = block_depot;
constexpr std::size_t class_count = depot::class_count;
static_assert(depot::bytes_of(class_count - 1) == max_pooled_bytes);
/// Blocks that change hands at once.
constexpr std::uint32_t magazine_blocks = 64;

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / depot::granule;
}

/// Free blocks of one size, apart from the blocks themselves: the memory of a block is not touched
/// between its last use and the next, and which blocks come next is known early enough to ask for
/// their memory. (Bonwick, Adams: "Magazines and Vmem", USENIX 2001.)
struct magazine {
  magazine* below = nullptr; ///< on the shelf
  std::uint32_t count = 0;
  std::array<void*, magazine_blocks> blocks;

  bool is_full() const noexcept { return count == magazine_blocks; }
};

// -- the common store ---------------------------------------------------------------------

struct shelf {
  std::mutex lock;
  magazine* full = nullptr;
};

/// Never destroyed: the last envelope may die after everything static.
struct store {
  std::array<shelf, class_count> shelves;
  std::atomic<std::size_t> bytes{0};
  depot blocks;
  large_blocks large;
};

store& common() noexcept {
  static store* const the_store = new store;
  return *the_store;
}

void discard(std::size_t size_class, magazine* what) noexcept {
  if (what == nullptr)
    return;
  common().blocks.give(size_class, what->blocks.data(), what->count);
  delete what;
}

void put(std::size_t size_class, magazine* full) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::size_t bytes = magazine_blocks * depot::bytes_of(size_class);
  store& to = common();
  if (to.bytes.fetch_add(bytes, relaxed) + bytes > max_stored_bytes) {
    to.bytes.fetch_sub(bytes, relaxed);
    return discard(size_class, full);
  }
  shelf& on = to.shelves[size_class];
  const std::lock_guard guard(on.lock);
  full->below = std::exchange(on.full, full);
}

/// Null when there is none.
magazine* take(std::size_t size_class) noexcept {
  store& from = common();
  shelf& on = from.shelves[size_class];
  magazine* full = nullptr;
  {
    const std::lock_guard guard(on.lock);
    full = on.full;
    if (full == nullptr)
      return nullptr;
    on.full = full->below;
  }
  from.bytes.fetch_sub(magazine_blocks * depot::bytes_of(size_class), std::memory_order_relaxed);
  return full;
}

// -- a thread's own blocks -------------------------------------------------------------------

/// `loaded` is used; `other` is full, empty or null. A thread that frees and allocates in turns
/// swaps the two and never gets to the store.
struct bin {
  magazine* loaded = nullptr;
  magazine* other = nullptr;
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
  for (std::size_t i = 0; i < class_count; ++i)
    for (auto* one : {bins[i].loaded, bins[i].other})
      if (one != nullptr && one->is_full())
        put(i, one);
      else
        discard(i, one);
}

/// Null when the thread is ending.
thread_bins* bins_of_thread() {
  if (this_threads == nullptr && !thread_is_ending) [[unlikely]] {
    thread_local thread_bins mine;
    this_threads = &mine;
  }
  return this_threads;
}

/// Never used before, or long ago. Null when there is no memory.
magazine* fill(std::size_t size_class) noexcept {
  auto* const fresh = new (std::nothrow) magazine;
  if (fresh == nullptr)
    return nullptr;
  fresh->count = static_cast<std::uint32_t>(
      common().blocks.take(size_class, fresh->blocks.data(), magazine_blocks));
  if (fresh->count == 0) {
    delete fresh;
    return nullptr;
  }
  return fresh;
}

/// Loads a magazine with blocks in it. False when there is no memory.
bool reload(bin& from, std::size_t size_class) noexcept {
  if (from.other == nullptr || from.other->count == 0) {
    auto* more = take(size_class);
    if (more == nullptr)
      more = fill(size_class);
    if (more == nullptr)
      return false;
    discard(size_class, std::exchange(from.other, more));
  }
  std::swap(from.loaded, from.other);
  return true;
}

/// Loads a magazine with room in it. False when there is no memory for one.
bool unload(bin& to, std::size_t size_class) noexcept {
  if (to.other == nullptr || to.other->is_full()) {
    auto* const empty = new (std::nothrow) magazine;
    if (empty == nullptr)
      return false;
    if (auto* const full = std::exchange(to.other, empty))
      put(size_class, full);
  }
  std::swap(to.loaded, to.other);
  return true;
}

void* pop(magazine& from, std::size_t bytes) noexcept {
  constexpr std::uint32_t ahead = 2;
  if (from.count > ahead) // what is next was freed on another core, most likely
    prefetch_to_write(from.blocks[from.count - 1 - ahead], bytes);
  return from.blocks[--from.count];
}

constexpr bool is_large(std::size_t bytes) noexcept {
  return enabled && bytes >= large_blocks::least_bytes;
}

} // namespace

void* allocate(std::size_t bytes) {
  if (!enabled || bytes > max_pooled_bytes)
    return is_large(bytes) ? common().large.take(bytes) : ::operator new(bytes);
  const std::size_t size_class = class_of(bytes);
  if (thread_bins* mine = bins_of_thread()) {
    bin& from = mine->bins[size_class];
    if ((from.loaded != nullptr && from.loaded->count > 0) || reload(from, size_class))
      return pop(*from.loaded, bytes);
  }
  void* block = nullptr; // for a thread that ends
  if (common().blocks.take(size_class, &block, 1) == 0)
    throw std::bad_alloc();
  return block;
}

void free(void* block, std::size_t bytes) noexcept {
  if (!enabled || bytes > max_pooled_bytes)
    return is_large(bytes) ? common().large.give(block, bytes) : ::operator delete(block);
  thread_bins* mine = bins_of_thread();
  const std::size_t size_class = class_of(bytes);
  if (mine == nullptr)
    return common().blocks.give(size_class, &block, 1);
  bin& to = mine->bins[size_class];
  if ((to.loaded == nullptr || to.loaded->is_full()) && !unload(to, size_class))
    return common().blocks.give(size_class, &block, 1);
  to.loaded->blocks[to.loaded->count++] = block;
}

std::size_t stored_bytes() noexcept { return common().bytes.load(std::memory_order_relaxed); }

} // namespace edupulse::envelope_pool
