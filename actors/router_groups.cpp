// The router and consumer groups: each event to the member that is chosen for it, and what a member
// leaves to the others when it is gone.

#include "actors/router.hpp"
#include <algorithm>

namespace edupulse {

namespace {

/// The members chosen for one event: as many as there are groups.
void choose_all(groups& from, std::span<const std::uint32_t> shared, const envelope& event,
                std::vector<std::uint32_t>& into) {
  into.clear();
  for (const auto group : shared)
    into.push_back(from.choose(group, event));
}

} // namespace

const std::string& router::name(std::uint32_t which) const {
  if (subscriber_index::is_group(which))
    return groups_.name(which);
  return subscriber_index::is_remote(which) ? peers_.name(which) : all_names_.at(which);
}

const topic_filter& router::filter(std::uint32_t which) const {
  return subscriber_index::is_remote(which) ? peers_.filter(which) : slots_[which]->filter;
}

/// Events of topics that groups want, in runs that go to the same members. A peer gets one copy of
/// an event, for its own subscriptions (`theirs`) and for its members alike.
void router::offer_shared(const slice& events, std::span<const std::uint32_t> shared,
                          std::span<const std::uint32_t> theirs, time_point now, effect_list& out) {
  std::vector<std::uint32_t> chosen;
  std::vector<std::uint32_t> next;
  std::vector<std::uint32_t> remote;
  const auto offer = [&](std::uint32_t begin, std::uint32_t end) {
    remote.assign(theirs.begin(), theirs.end());
    for (const auto member : chosen)
      if (subscriber_index::is_remote(member)) {
        remote.insert(std::upper_bound(remote.begin(), remote.end(), member), member);
      } else {
        slots_[member]->owed->offer(events.events, begin, end, now, out);
        touch(member);
      }
    if (!remote.empty())
      peers_.offer({events.events, begin, end, 0}, remote, now, out);
  };
  auto begin = events.begin;
  for (auto i = events.begin; i < events.end; ++i) {
    choose_all(groups_, shared, *events.events->entries[i].event, next);
    if (i > begin && next != chosen) {
      offer(begin, i);
      begin = i;
    }
    chosen.swap(next);
  }
  offer(begin, events.end);
}

/// Nobody is told that they were routed: to their publisher nothing has changed.
void router::share_out(time_point now, effect_list& out) {
  while (auto left = groups_.next_legacy(out)) {
    for (std::size_t at = 0; at < left->events.size();) {
      auto part = std::make_shared<chunk>();
      for (; at < left->events.size() && part->entries.size() < max_batch; ++at)
        part->entries.push_back(make_entry(std::move(left->events[at])));
      const auto size = static_cast<std::uint32_t>(part->entries.size());
      offer_shared({std::move(part), 0, size, 0}, {&left->group, 1}, {}, now, out);
    }
  }
}

} // namespace edupulse
