#pragma once
// Where payloads are built. Making and unmaking a Cap'n Proto message builder for each event costs
// as much as filling it, so each thread keeps one for many events: an event's objects are allocated
// behind those of the event before, and are forgotten rather than freed once its envelope exists.
// The root pointer is set to null by hand for that, since through the builder it would mean to walk
// and clear the old objects. When the buffer is half full, or an event did not fit into what was
// left and has spread over other segments, the builder is replaced by a fresh one.

#include <capnp/any.h>
#include <capnp/message.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace edupulse {

/// A payload as it can be put into a message: `objects` directly behind `pointer`.
struct payload_slice {
  std::uint64_t pointer; ///< 0: nothing was set
  std::span<const capnp::word> objects;
};

/// One thread at a time. Between `acquire` and `release` it belongs to one event.
class payload_arena {
public:
  payload_arena() = default;
  payload_arena(const payload_arena&) = delete;
  payload_arena& operator=(const payload_arena&) = delete;

  /// The calling thread's arena, or a new one when that is taken: an event is published while
  /// another is being filled. To be released on the same thread.
  static payload_arena* acquire();
  static void release(payload_arena* what) noexcept;

  /// Where this event's payload goes.
  capnp::AnyPointer::Builder root() noexcept { return *root_; }

  /// What was built. Valid until `release`. A payload in more than one piece is copied into one.
  payload_slice slice();

private:
  static constexpr std::size_t buffer_words = 2048;
  static constexpr std::size_t reuse_below_words = buffer_words / 2;

  /// The arena's buffer first, zeroed; then the heap.
  class builder final : public capnp::MessageBuilder {
  public:
    explicit builder(std::span<capnp::word> buffer) noexcept : buffer_(buffer) {}
    ~builder() noexcept(false) override;
    kj::ArrayPtr<capnp::word> allocateSegment(unsigned minimum_words) override;

  private:
    std::span<capnp::word> buffer_; // empty when it has been handed out
    unsigned next_words_ = buffer_words;
    std::vector<void*> heap_segments_;
  };

  struct thread_arena;

  void begin();
  void end() noexcept;
  void start_builder();
  payload_slice copy_into_one();

  alignas(8) std::byte buffer_[buffer_words * sizeof(capnp::word)] = {};
  std::optional<builder> builder_;
  std::optional<capnp::AnyPointer::Builder> root_;
  std::optional<capnp::MallocMessageBuilder> flat_;
  std::size_t begin_ = 0; // of this event's objects, in words
  std::size_t used_ = 0;  // words of the buffer, when `measured_`
  bool measured_ = false; // `used_` is true
  bool spread_ = false;   // beyond the buffer
  bool taken_ = false;
};

} // namespace edupulse
