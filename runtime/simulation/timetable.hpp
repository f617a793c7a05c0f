#pragma once
// Virtual time: what is due, and when. Of two things that are due at one time the one that was
// entered first comes first, so a run is a function of what is entered.

#include "schemas/envelope.hpp"
#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace edupulse::simulation {

class timetable {
public:
  static constexpr time_point first_moment{std::chrono::hours(1)};
  /// Unix milliseconds at `time_point{}`: every run begins on the same day.
  static constexpr std::int64_t wall_offset_ms = 1'700'000'000'000;

  time_point now() const noexcept { return now_; }
  std::int64_t wall_ms() const noexcept {
    return wall_offset_ms + now_.time_since_epoch() / std::chrono::milliseconds(1);
  }
  void at(time_point when, std::function<void()> what) {
    std::uint32_t place = static_cast<std::uint32_t>(deeds_.size());
    if (free_.empty()) {
      deeds_.push_back(std::move(what));
    } else {
      place = free_.back();
      free_.pop_back();
      deeds_[place] = std::move(what);
    }
    all_.push_back({std::max(when, now_), next_number_++, place});
    std::push_heap(all_.begin(), all_.end(), later);
  }
  void in(duration after, std::function<void()> what) { at(now_ + after, std::move(what)); }

  /// Does the next thing. False: nothing is due until then, which is now.
  bool step(time_point until) {
    if (all_.empty() || all_.front().when > until) {
      now_ = std::max(now_, until);
      return false;
    }
    std::pop_heap(all_.begin(), all_.end(), later);
    const auto next = all_.back();
    all_.pop_back();
    now_ = next.when;
    ++done_;
    const auto what = std::exchange(deeds_[next.place], nullptr);
    free_.push_back(next.place);
    what();
    return true;
  }
  std::uint64_t done() const noexcept { return done_; }
  std::size_t size() const noexcept { return all_.size(); }

private:
  struct entry {
    time_point when;
    std::uint64_t number;
    std::uint32_t place; ///< in `deeds_`: what moves in the heap is small
  };
  static bool later(const entry& a, const entry& b) noexcept {
    return a.when != b.when ? a.when > b.when : a.number > b.number;
  }

  time_point now_ = first_moment;
  std::vector<entry> all_; ///< a heap
  std::vector<std::function<void()>> deeds_;
  std::vector<std::uint32_t> free_; ///< places there
  std::uint64_t next_number_ = 0;
  std::uint64_t done_ = 0;
};

} // namespace edupulse::simulation
