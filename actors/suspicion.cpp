#include "actors/suspicion.hpp"

#include "actors/fixed_log.hpp"
#include <algorithm>

namespace edupulse {

suspicion_span span_of_suspicion(duration interval, std::uint32_t mult, std::uint32_t max_mult,
                                 std::size_t members, std::size_t confirmers) {
  const auto scale = static_cast<duration::rep>(
      std::max<std::uint64_t>(1000, log10_milli(std::max<std::size_t>(1, members))));
  const duration min = interval * mult * scale / 1000;
  const bool alone = confirmers < suspicion_timers::confirmations_needed;
  return {min, alone ? min : min * max_mult};
}

time_point suspicion_timers::timer::due() const {
  // max - (max - min) * log(confirmations + 1) / log(needed + 1), in thousandths.
  constexpr duration::rep shrink[] = {0, 631, 1000};
  static_assert(std::size(shrink) == 1 + confirmations_needed);
  return since + span.max - (span.max - span.min) / 1000 * shrink[count - 1];
}

void suspicion_timers::start(member_slot who, node_id accuser, suspicion_span span,
                             time_point now) {
  stop(who);
  const timer one{now, span, {accuser}, 1};
  timers_.emplace(who, one);
  due_.emplace(one.due(), who);
}

bool suspicion_timers::confirm(member_slot who, node_id accuser) {
  const auto found = timers_.find(who);
  if (found == timers_.end())
    return false;
  timer& one = found->second;
  const auto end = one.accusers + one.count;
  if (one.count == std::size(one.accusers) || std::find(one.accusers, end, accuser) != end)
    return false;
  due_.erase({one.due(), who});
  one.accusers[one.count++] = accuser;
  due_.emplace(one.due(), who);
  return true;
}

void suspicion_timers::shorten(member_slot who) {
  timer& one = timers_.at(who);
  due_.erase({one.due(), who});
  one.count = std::size(one.accusers);
  due_.emplace(one.due(), who);
}

void suspicion_timers::stop(member_slot who) {
  const auto found = timers_.find(who);
  if (found == timers_.end())
    return;
  due_.erase({found->second.due(), who});
  timers_.erase(found);
}

void suspicion_timers::extend_all(duration by) {
  due_.clear();
  for (auto& [who, one] : timers_) {
    one.since += by;
    due_.emplace(one.due(), who);
  }
}

bool suspicion_timers::had_shortest(member_slot who, time_point now) const {
  const auto found = timers_.find(who);
  return found != timers_.end() && now >= found->second.since + found->second.span.min;
}

member_slot suspicion_timers::after(member_slot who) const {
  if (timers_.empty())
    return no_member;
  const auto found = timers_.upper_bound(who);
  return found == timers_.end() ? timers_.begin()->first : found->first;
}

std::optional<time_point> suspicion_timers::next() const {
  if (due_.empty())
    return std::nullopt;
  return due_.begin()->first;
}

std::optional<member_slot> suspicion_timers::take_due(time_point now) {
  if (due_.empty() || due_.begin()->first > now)
    return std::nullopt;
  const member_slot who = due_.begin()->second;
  stop(who);
  return who;
}

} // namespace edupulse
