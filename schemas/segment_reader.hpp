#pragma once
// Reads one Cap'n Proto segment that stands without a segment table, under limits that the caller
// ties to its size. For bytes from outside: what Cap'n Proto throws is for `catching` to take.

#include <capnp/message.h>
#include <cstdint>
#include <span>

namespace edupulse {

class segment_reader final : public capnp::MessageReader {
public:
  struct limits {
    std::uint64_t
        traversal_words; ///< every reading of a list or struct counts, also a repeated one
    int nesting = 8;
  };
  /// Once over the message, with little more than one reading's worth of limit.
  explicit segment_reader(std::span<const capnp::word> words) noexcept
      : segment_reader(words, {words.size() + 1024}) {}
  segment_reader(std::span<const capnp::word> words, limits bounds) noexcept
      : MessageReader(options(bounds)), words_(words) {}
  kj::ArrayPtr<const capnp::word> getSegment(unsigned id) override {
    return id == 0 ? kj::ArrayPtr(words_.data(), words_.size()) : nullptr;
  }

private:
  static capnp::ReaderOptions options(limits bounds) noexcept {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = bounds.traversal_words;
    options.nestingLimit = bounds.nesting;
    return options;
  }

  std::span<const capnp::word> words_;
};

} // namespace edupulse
