#pragma once
// Virtual time: what is due, and when. Of two things that are due at one time the one that was
// entered first comes first, so a run is a function of what is entered.

#include "schemas/envelope.hpp"
#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace edupulse::simulation {

class timetable {
public:
  static constexpr time_point first_moment{std::chrono::hours(1)};
  /// Unix milliseconds at `time_point{}`: every run begins on the same day.
  static constexpr std::int64_t wall_offset_ms = 1'700'000'000'000;

  timetable() = default;
  timetable(const timetable&) = delete;
  timetable& operator=(const timetable&) = delete;
  ~timetable() {
    for (const auto* some : {&soon_, &later_})
      for (const auto& one : *some)
        end(one.place, false);
  }

  time_point now() const noexcept { return now_; }
  std::int64_t wall_ms() const noexcept {
    return wall_offset_ms + now_.time_since_epoch() / std::chrono::milliseconds(1);
  }
  template <class F> void at(time_point when, F what) {
    static_assert(sizeof(F) <= deed::room && alignof(F) <= alignof(std::max_align_t));
    const auto place = free_place();
    auto& to = deed_at(place);
    ::new (static_cast<void*>(to.what)) F(std::move(what));
    to.end = [](void* kept, bool run) {
      auto* there = std::launder(static_cast<F*>(kept));
      F taken(std::move(*there)); // what it does may need the place
      there->~F();
      if (run)
        taken();
    };
    const entry made{std::max(when, now_), next_number_++, place};
    push(made.when <= horizon_ ? soon_ : later_, made);
  }
  template <class F> void in(duration after, F what) { at(now_ + after, std::move(what)); }

  /// Does the next thing. False: nothing is due until then, which is now.
  bool step(time_point until) {
    if (soon_.empty())
      look_ahead();
    if (soon_.empty() || soon_.front().when > until) {
      now_ = std::max(now_, until);
      return false;
    }
    const auto next = pop(soon_);
    now_ = next.when;
    ++done_;
    free_.push_back(next.place);
    end(next.place, true);
    return true;
  }
  std::uint64_t done() const noexcept { return done_; }
  std::size_t size() const noexcept { return soon_.size() + later_.size(); }

private:
  /// What is to be done lies in its place, and not in memory of its own: there are thousands for
  /// each second of a node.
  struct deed {
    static constexpr std::size_t room = 112;
    alignas(std::max_align_t) std::byte what[room];
    void (*end)(void* what, bool run);
  };
  struct entry {
    time_point when;
    std::uint64_t number;
    std::uint32_t place; ///< in `deeds_`: what moves in the heap is small
  };
  struct is_after {
    bool operator()(const entry& a, const entry& b) const noexcept {
      return a.when != b.when ? a.when > b.when : a.number > b.number;
    }
  };
  using heap = std::vector<entry>;
  /// Most of what is entered is due at once, and most of what waits is timers: those are no part of
  /// the heap that every step works on.
  static constexpr auto ahead = std::chrono::milliseconds(2);
  static constexpr std::size_t block = 256;

  static void push(heap& to, const entry& what) {
    to.push_back(what);
    std::push_heap(to.begin(), to.end(), is_after{});
  }
  static entry pop(heap& from) {
    std::pop_heap(from.begin(), from.end(), is_after{});
    const auto first = from.back();
    from.pop_back();
    return first;
  }
  void look_ahead() {
    if (later_.empty())
      return;
    horizon_ = later_.front().when + ahead;
    while (!later_.empty() && later_.front().when <= horizon_)
      push(soon_, pop(later_));
  }
  std::uint32_t free_place() {
    if (free_.empty()) {
      const auto first = deeds_.size() * block;
      deeds_.push_back(std::make_unique<deed[]>(block));
      for (auto one = block; one > 0; --one)
        free_.push_back(static_cast<std::uint32_t>(first + one - 1));
    }
    const auto place = free_.back();
    free_.pop_back();
    return place;
  }
  deed& deed_at(std::uint32_t place) { return deeds_[place / block][place % block]; }
  void end(std::uint32_t place, bool run) {
    auto& one = deed_at(place);
    one.end(one.what, run);
  }

  time_point now_ = first_moment;
  time_point horizon_{};
  heap soon_;                                  ///< due until then
  heap later_;                                 ///< due after that
  std::vector<std::unique_ptr<deed[]>> deeds_; ///< in blocks: they stay where they are
  std::vector<std::uint32_t> free_;            ///< places there
  std::uint64_t next_number_ = 0;
  std::uint64_t done_ = 0;
};

} // namespace edupulse::simulation
