#include "schemas/payload_arena.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace edupulse {

namespace {

constexpr std::uint64_t offset_unit = 4;           // a pointer's offset begins at bit 2
constexpr std::uint32_t empty_struct = 0xfffffffc; // of no size, "at" the word before the next

} // namespace

// -- builder ------------------------------------------------------------------------

payload_arena::builder::~builder() noexcept(false) {
  for (void* segment : heap_segments_)
    std::free(segment);
}

kj::ArrayPtr<capnp::word> payload_arena::builder::allocateSegment(unsigned minimum_words) {
  if (minimum_words <= buffer_.size()) {
    const auto buffer = std::exchange(buffer_, {});
    return {buffer.data(), buffer.size()};
  }
  constexpr unsigned max_growth = 1U << 20;
  const unsigned words = std::max(minimum_words, next_words_);
  heap_segments_.push_back(nullptr);
  void* segment = std::calloc(words, sizeof(capnp::word));
  if (segment == nullptr)
    throw std::bad_alloc();
  heap_segments_.back() = segment;
  next_words_ = std::min(words, max_growth) * 2; // grows like a vector, to 16 MiB a piece
  return {static_cast<capnp::word*>(segment), words};
}

// -- one event after another ----------------------------------------------------------

void payload_arena::start_builder() {
  root_.reset();
  if (builder_) {
    // What was handed out of the buffer must be zero when it is handed out again.
    const auto used = builder_->getSegmentsForOutput()[0];
    std::memset(buffer_, 0, used.size() * sizeof(capnp::word));
    builder_.reset();
  }
  builder_.emplace(std::span(reinterpret_cast<capnp::word*>(buffer_), buffer_words));
  root_ = builder_->getRoot<capnp::AnyPointer>();
  used_ = 1;
  measured_ = true;
  spread_ = false;
}

void payload_arena::begin() {
  if (!builder_ || used_ > reuse_below_words)
    start_builder();
  std::memset(buffer_, 0, sizeof(capnp::word)); // the root pointer: forget the event before
  begin_ = used_;
  measured_ = false;
}

payload_slice payload_arena::slice() {
  const auto segments = builder_->getSegmentsForOutput();
  used_ = segments[0].size();
  measured_ = true;
  spread_ = segments.size() > 1;
  if (spread_)
    return copy_into_one();
  std::uint64_t pointer;
  std::memcpy(&pointer, buffer_, sizeof pointer);
  if (pointer == 0 || static_cast<std::uint32_t>(pointer) == empty_struct)
    return {pointer, {}};
  // The objects will lie directly behind the pointer, not `begin_ - 1` words further.
  return {pointer - (begin_ - 1) * offset_unit,
          {reinterpret_cast<const capnp::word*>(buffer_) + begin_, used_ - begin_}};
}

payload_slice payload_arena::copy_into_one() {
  std::size_t words = 0;
  for (const auto& segment : builder_->getSegmentsForOutput())
    words += segment.size();
  // The copy has no pointers between segments, so it never needs more than all of them had.
  flat_.emplace(static_cast<unsigned>(words));
  flat_->getRoot<capnp::AnyPointer>().set(root_->asReader());
  const auto whole = flat_->getSegmentsForOutput();
  assert(whole.size() == 1);
  std::uint64_t pointer;
  std::memcpy(&pointer, whole[0].begin(), sizeof pointer);
  return {pointer, {whole[0].begin() + 1, whole[0].size() - 1}};
}

void payload_arena::end() noexcept {
  flat_.reset();
  if (!measured_) { // the event was given up half way
    const auto segments = builder_->getSegmentsForOutput();
    used_ = segments[0].size();
    spread_ = segments.size() > 1;
  }
  if (spread_)
    used_ = buffer_words; // so that the next event starts afresh
}

// -- whose arena ------------------------------------------------------------------------

struct payload_arena::thread_arena {
  std::unique_ptr<payload_arena> arena = std::make_unique<payload_arena>();
  ~thread_arena();
};

namespace {

// Beside the object that owns it, because a pointer without a destructor is read without a guard.
constinit thread_local payload_arena* this_threads = nullptr;
constinit thread_local bool thread_is_ending = false;

} // namespace

payload_arena::thread_arena::~thread_arena() {
  this_threads = nullptr;
  thread_is_ending = true; // from here on each event has an arena of its own
}

payload_arena* payload_arena::acquire() {
  if (this_threads == nullptr && !thread_is_ending) [[unlikely]] {
    thread_local thread_arena mine;
    this_threads = mine.arena.get();
  }
  if (payload_arena* what = this_threads; what != nullptr && !what->taken_) [[likely]] {
    what->begin();
    what->taken_ = true;
    return what;
  }
  auto extra = std::make_unique<payload_arena>();
  extra->begin();
  return extra.release();
}

void payload_arena::release(payload_arena* what) noexcept {
  if (what != this_threads) [[unlikely]] {
    delete what;
    return;
  }
  what->end();
  what->taken_ = false;
}

} // namespace edupulse
