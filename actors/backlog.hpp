#pragma once
// How much one queue of events is owed, and what its overload policy makes of that. The same rules
// hold for a subscription here (delivery) and for one on another node (destination).
//
//     room --full--> gate closed --no progress for stall_after--> stalled --progress--> room
//      ^                 |
//      +-----drained-----+        (drop_*, latest_per_key: no gate, no stall; what is full drops)

#include "actors/budget.hpp"
#include "actors/options.hpp"
#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace edupulse {

class backlog {
public:
  struct settings {
    overload_policy policy = overload_policy::wait;
    std::size_t events = 8192;
    std::size_t bytes = 4u << 20;
    duration stall_after = std::chrono::seconds(2);
  };
  /// `shared`: what others of its node hold, too, is counted there by whoever keeps the events.
  backlog(settings how, time_point now, budget shared = {}) noexcept
      : how_(how), shared_(std::move(shared)), last_progress_(now) {}

  // -- what is owed -------------------------------------------------------------------
  void add(std::size_t events, std::size_t bytes) noexcept {
    events_ += events;
    bytes_ += bytes;
  }
  void take(std::size_t events, std::size_t bytes) noexcept {
    events_ -= events;
    bytes_ -= bytes;
  }
  std::size_t events() const noexcept { return events_; }
  std::size_t bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return events_ == 0; }
  /// More is owed than the limits allow: an event that was counted already is one too many.
  bool over() const noexcept {
    return events_ > how_.events || bytes_ > how_.bytes || over_budget();
  }
  /// Of the shared budget. One event has room whatever others hold, or nothing would ever move.
  bool over_budget() const noexcept { return events_ > 1 && bytes_ > shared_.room(); }
  bool would_be_over(std::size_t events, std::size_t bytes) const noexcept {
    return events_ + events > how_.events || bytes_ + bytes > most_bytes();
  }
  bool has_room() const noexcept {
    return events_ <= how_.events / 16 * 15 && bytes_ <= most_bytes() / 16 * 15;
  }

  // -- the gate -----------------------------------------------------------------------
  /// Publishers wait at a gate only by these policies.
  bool holds_publishers() const noexcept {
    return how_.policy == overload_policy::wait || how_.policy == overload_policy::strict;
  }
  /// After any change: whether the gate is to be closed (true) or opened (false), if it changes.
  std::optional<bool> update_gate(bool ended) noexcept {
    const bool room = has_room();
    if (room)
      dropping_ = false;
    if (!holds_publishers())
      return std::nullopt;
    if (gate_closed_ && (stalled_ || ended || room))
      return gate_closed_ = false;
    const bool full = events_ >= how_.events || bytes_ >= most_bytes();
    if (gate_closed_ || stalled_ || ended || !full || empty())
      return std::nullopt;
    return gate_closed_ = true;
  }
  bool gate_closed() const noexcept { return gate_closed_; }

  // -- standing still -------------------------------------------------------------------
  /// Something was concluded. Answers how many events were missed, when it had been stalled.
  std::optional<std::uint64_t> note_progress(time_point now) noexcept {
    last_progress_ = now;
    if (!std::exchange(stalled_, false))
      return std::nullopt;
    return std::exchange(missed_, 0);
  }
  /// It has something to do since now, after having had nothing.
  void begin(time_point now) noexcept { last_progress_ = now; }
  /// True when it is found to be stalled, once.
  bool notice_stall(time_point now) noexcept {
    if (how_.policy != overload_policy::wait || !gate_closed_ || stalled_ ||
        now - last_progress_ < how_.stall_after)
      return false;
    missed_ = 0;
    return stalled_ = true;
  }
  bool stalled() const noexcept { return stalled_; }
  void count_missed() noexcept { ++missed_; }
  /// True for the first of a run of drops.
  bool begins_dropping() noexcept { return !std::exchange(dropping_, true); }

  const settings& about() const noexcept { return how_; }

private:
  std::size_t most_bytes() const noexcept { return std::min(how_.bytes, shared_.room()); }

  settings how_;
  budget shared_;
  std::size_t events_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t missed_ = 0; ///< while stalled
  time_point last_progress_;
  bool gate_closed_ = false;
  bool stalled_ = false;
  bool dropping_ = false;
};

inline backlog::settings backlog_of(const subscription_options& o) noexcept {
  return {o.overload, o.backlog_events, o.backlog_bytes, o.stall_after};
}

} // namespace edupulse
