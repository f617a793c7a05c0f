#pragma once
// How long a suspect has to answer. One accuser may be wrong, or slow itself; so a suspicion begins
// with a long time and shortens as others confirm it, down to the shortest once two have
// (Lifeguard's "dynamic suspicion timeouts").

#include "actors/member_table.hpp"
#include <map>
#include <set>

namespace edupulse {

struct suspicion_span {
  duration min;
  duration max;
};

/// What suspects of a cluster of `members` get, this node included: `mult * max(1, log10 members) *
/// interval`, and `max_mult` times that. With fewer than two others that could confirm, the
/// shortest at once.
suspicion_span span_of_suspicion(duration interval, std::uint32_t mult, std::uint32_t max_mult,
                                 std::size_t members, std::size_t confirmers);

class suspicion_timers {
public:
  static constexpr std::size_t confirmations_needed = 2;

  void start(member_slot who, node_id accuser, suspicion_span span, time_point now);
  /// True when this accuser is a new one, and more were needed.
  bool confirm(member_slot who, node_id accuser);
  /// As if all had confirmed it.
  void shorten(member_slot who);
  void stop(member_slot who);
  /// We were away: so long nobody was given the chance to answer us.
  void extend_all(duration by);

  std::optional<time_point> next() const;
  /// A suspect whose time is up, and no longer is one here.
  std::optional<member_slot> take_due(time_point now);
  bool contains(member_slot who) const { return timers_.contains(who); }
  /// It was suspected for the shortest time that any suspect gets.
  bool had_shortest(member_slot who, time_point now) const;
  std::size_t size() const noexcept { return timers_.size(); }
  /// The first suspect after this slot, round and round; `no_member` when there is none.
  member_slot after(member_slot who) const;

private:
  struct timer {
    time_point since;
    suspicion_span span;
    node_id accusers[1 + confirmations_needed];
    std::size_t count;
    time_point due() const;
  };

  std::map<member_slot, timer> timers_;
  std::set<std::pair<time_point, member_slot>> due_;
};

} // namespace edupulse
