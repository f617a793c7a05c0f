#pragma once
// What goes by a small number that is soon used again, as peers do: a row of places.

#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace edupulse {

/// What is in it stays where it is until it is erased.
template <class T> class slots {
public:
  using number = std::uint32_t;

  /// Null: nothing is there.
  T* find(number which) noexcept { return which < all_.size() ? all_[which].get() : nullptr; }
  const T* find(number which) const noexcept { return const_cast<slots*>(this)->find(which); }
  bool contains(number which) const noexcept { return find(which) != nullptr; }
  /// Something must be there.
  T& operator[](number which) noexcept {
    assert(contains(which));
    return *all_[which];
  }
  const T& operator[](number which) const noexcept { return const_cast<slots&>(*this)[which]; }
  /// Nothing may be there.
  T& add(number which) {
    assert(!contains(which));
    if (which >= all_.size())
      all_.resize(which + std::size_t{1});
    all_[which] = std::make_unique<T>();
    ++size_;
    return *all_[which];
  }
  /// Something must be there.
  void erase(number which) {
    assert(contains(which));
    all_[which].reset();
    --size_;
  }
  std::size_t size() const noexcept { return size_; }
  /// `f(number, T&)`, by number.
  template <class F> void for_each(F f) {
    for (number which = 0; which < all_.size(); ++which)
      if (all_[which])
        f(which, *all_[which]);
  }
  template <class F> void for_each(F f) const {
    const_cast<slots*>(this)->for_each([&](number which, const T& one) { f(which, one); });
  }

private:
  std::vector<std::unique_ptr<T>> all_;
  std::size_t size_ = 0;
};

} // namespace edupulse
