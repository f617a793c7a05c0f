#pragma once
// The words of the two messages that come with every event: the head of a frame of events, and its
// conclusions. A general builder and reader spend more on them than the router spends on the event,
// so they are laid out by hand, exactly as the generated code does it; what a peer lays out in
// another way goes through that. A test holds the two against each other. The encoding:
// https://capnproto.org/encoding.html.

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace edupulse::link_words {

/// Of structs, in words: their data, and their pointers.
struct size_of_struct {
  std::uint64_t data;
  std::uint64_t pointers;
  constexpr std::uint64_t words() const noexcept { return data + pointers; }
  constexpr std::uint64_t bits() const noexcept { return data << 32 | pointers << 48; }
};
inline constexpr size_of_struct control{4, 2};
inline constexpr size_of_struct ack{3, 0};
inline constexpr size_of_struct head{0, 1};
inline constexpr size_of_struct run{2, 1};
inline constexpr size_of_struct target{3, 0};

/// In the union of a Control, and that of its numbered messages.
inline constexpr std::uint64_t which_numbered = 2;
inline constexpr std::uint64_t which_acks = 0;

/// To a list of `count` structs; it begins `skip` words behind the pointer.
constexpr std::uint64_t list_pointer(std::uint64_t skip, std::uint64_t count,
                                     size_of_struct of) noexcept {
  return 1 | skip << 2 | (7 | count * of.words() << 3) << 32;
}
/// The first word of such a list.
constexpr std::uint64_t list_tag(std::uint64_t count, size_of_struct of) noexcept {
  return count << 2 | of.bits();
}

/// To be filled, and appended to a frame.
using writer = boost::container::small_vector<std::uint64_t, 64>;

/// What a peer sent, at an address where words may be.
class reader {
public:
  /// Whole words.
  explicit reader(std::span<const std::byte> bytes) : size_(bytes.size() / sizeof *words_) {
    if (size_ > std::size(few_)) {
      many_.resize(size_);
      words_ = many_.data();
    }
    if (size_ > 0)
      std::memcpy(words_, bytes.data(), bytes.size());
  }
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  std::size_t size() const noexcept { return size_; }
  const std::uint64_t* data() const noexcept { return words_; }
  std::uint64_t operator[](std::size_t at) const noexcept { return words_[at]; }
  /// Of the list whose tag is at `at`: how many structs it says it has.
  std::uint64_t count_at(std::size_t at) const noexcept { return (words_[at] & 0xffffffff) >> 2; }
  /// At `pointer` there is one to a list whose tag is at `tag`, and which ends within the message.
  bool has_list(std::size_t pointer, std::size_t tag, size_of_struct of) const noexcept {
    if (tag >= size_)
      return false;
    const auto count = count_at(tag);
    return count * of.words() < size_ - tag && words_[tag] == list_tag(count, of) &&
           words_[pointer] == list_pointer(tag - pointer - 1, count, of);
  }

private:
  std::uint64_t few_[64]; // most are short
  std::vector<std::uint64_t> many_;
  std::uint64_t* words_ = few_;
  std::size_t size_;
};

} // namespace edupulse::link_words
