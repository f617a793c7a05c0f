#pragma once
// A circuit breaker for handlers that say "unavailable": not this event's fault, so nobody's time
// is spent and the subscription pauses. After a wait one event probes; the breaker closes on any
// answer but "unavailable".
//
//     closed --unavailable--> open --wait is over--> probing --answer--> closed
//                               ^-----------unavailable-----'

#include "actors/backoff.hpp"
#include "actors/options.hpp"
#include <cstdint>
#include <optional>

namespace edupulse {

class breaker {
public:
  enum class state : std::uint8_t { closed, open, probing };

  explicit breaker(const retry_options& how) : how_(how) {}

  void change(const retry_options& how) { how_ = how; }
  state now_is() const noexcept { return state_; }
  bool closed() const noexcept { return state_ == state::closed; }
  time_point until() const noexcept { return until_; }

  /// Opens, or opens again for longer after a failed probe. An answer that was on its way while
  /// the breaker is open already changes nothing and returns false.
  bool on_unavailable(std::optional<duration> after, time_point now, random_source& chance) {
    if (state_ == state::open)
      return false;
    if (state_ == state::closed)
      opened_at_ = now;
    ++failures_;
    // Half fixed, half jitter: a probe at once would be no pause at all.
    const duration top = back_off_ceiling(how_, failures_);
    const auto half = top / 2;
    const auto wait =
        half +
        duration(static_cast<duration::rep>(static_cast<double>(half.count()) * chance.unit()));
    until_ = now + (after ? *after : wait);
    state_ = state::open;
    return true;
  }
  /// The wait is over: one event may go.
  void probe() noexcept { state_ = state::probing; }
  /// The probe did not come back as an answer (its actor died): wait for another.
  void probe_lost() noexcept {
    if (state_ == state::probing)
      state_ = state::open;
  }
  /// True when this closed it.
  bool on_answer(time_point now) noexcept {
    if (state_ != state::probing)
      return false;
    paused_ += now - opened_at_;
    state_ = state::closed;
    failures_ = 0;
    return true;
  }
  /// Time spent open since the beginning; grows while open.
  duration paused(time_point now) const noexcept {
    return paused_ + (closed() ? duration::zero() : now - opened_at_);
  }

private:
  retry_options how_;
  state state_ = state::closed;
  std::uint32_t failures_ = 0;
  time_point until_{};
  time_point opened_at_{};
  duration paused_{};
};

} // namespace edupulse
