#pragma once
// What goes by a number that somebody gives out: connections by theirs, sessions by theirs. A look
// is one place of an index and one of what is looked for, where a node-based table walks a chain;
// with a hundred peers and more each step of such a walk waits for memory.

#include <cstdint>
#include <memory>
#include <tsl/robin_map.h>

namespace edupulse {

/// What is in it stays where it is until it is erased.
template <class T> class id_map {
public:
  using id = std::uint64_t;

  /// Null: it is not there.
  T* find(id which) {
    const auto at = kept_.find(which);
    return at == kept_.end() ? nullptr : at->second.get();
  }
  const T* find(id which) const { return const_cast<id_map*>(this)->find(which); }
  /// Throws std::out_of_range when it is not there.
  T& at(id which) { return *kept_.at(which); }
  const T& at(id which) const { return *kept_.at(which); }
  bool contains(id which) const { return kept_.contains(which); }
  /// Made when it is not there.
  T& operator[](id which) {
    auto& place = kept_[which];
    if (!place)
      place = std::make_unique<T>();
    return *place;
  }
  bool erase(id which) { return kept_.erase(which) > 0; }
  /// Null: it was not there.
  std::unique_ptr<T> extract(id which) {
    const auto at = kept_.find(which);
    if (at == kept_.end())
      return nullptr;
    auto taken = std::move(at.value());
    kept_.erase(at);
    return taken;
  }
  std::size_t size() const noexcept { return kept_.size(); }
  bool empty() const noexcept { return kept_.empty(); }
  /// `f(id, T&)`, in no order that means anything; it changes nothing here.
  template <class F> void for_each(F f) {
    for (const auto& [which, one] : kept_)
      f(which, *one);
  }
  template <class F> void for_each(F f) const {
    for (const auto& [which, one] : kept_)
      f(which, std::as_const(*one));
  }

private:
  tsl::robin_map<id, std::unique_ptr<T>> kept_;
};

} // namespace edupulse
