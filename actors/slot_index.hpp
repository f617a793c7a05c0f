#pragma once
// From a hash to the slot of whatever has it: open addressing with linear probing, two bytes of
// slot and two of hash an entry, so that the index of a thousand members is 8 KiB. It is only ever
// asked for one thing, never walked through: no order of it can be seen from outside.

#include <cassert>
#include <cstdint>
#include <vector>

namespace edupulse {

class slot_index {
public:
  using slot = std::uint16_t;
  static constexpr slot none = 0xffff;

  /// `is(slot)` tells whether that slot is the one looked for.
  template <class Is> slot find(std::uint64_t hash, Is is) const {
    if (entries_.empty())
      return none;
    for (std::size_t at = home(hash);; at = next(at)) {
      const entry& one = entries_[at];
      if (one.which == none)
        return none;
      if (one.tag == tag_of(hash) && is(one.which))
        return one.which;
    }
  }

  /// `hash_of(slot)` is asked when the index grows. Nothing with this slot may be in it.
  template <class HashOf> void insert(std::uint64_t hash, slot which, HashOf hash_of) {
    if (2 * (size_ + 1) > entries_.size())
      grow(hash_of);
    put(hash, which);
    ++size_;
  }

  /// It must be in it.
  template <class HashOf> void erase(std::uint64_t hash, slot which, HashOf hash_of) {
    std::size_t at = home(hash);
    while (entries_[at].which != which) {
      assert(entries_[at].which != none);
      at = next(at);
    }
    // What stands behind moves up, unless it is at home already (D. Knuth, TAOCP 3, 6.4, R).
    std::size_t hole = at;
    for (at = next(hole); entries_[at].which != none; at = next(at)) {
      const std::size_t wants = home(hash_of(entries_[at].which));
      if (((at - wants) & mask()) >= ((at - hole) & mask())) {
        entries_[hole] = entries_[at];
        hole = at;
      }
    }
    entries_[hole] = {};
    --size_;
  }

  std::size_t size() const noexcept { return size_; }

private:
  struct entry {
    slot which = none;
    std::uint16_t tag = 0;
  };

  static std::uint16_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>(hash >> 48);
  }
  std::size_t mask() const noexcept { return entries_.size() - 1; }
  std::size_t home(std::uint64_t hash) const noexcept { return hash & mask(); }
  std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }

  void put(std::uint64_t hash, slot which) {
    std::size_t at = home(hash);
    while (entries_[at].which != none)
      at = next(at);
    entries_[at] = {which, tag_of(hash)};
  }

  template <class HashOf> void grow(HashOf hash_of) {
    std::vector<entry> old(entries_.empty() ? 16 : 2 * entries_.size());
    old.swap(entries_);
    for (const entry& one : old)
      if (one.which != none)
        put(hash_of(one.which), one.which);
  }

  std::vector<entry> entries_; // a power of two, at most half full
  std::size_t size_ = 0;
};

} // namespace edupulse
