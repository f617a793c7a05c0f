// The router and consumer groups: each event to the member that is chosen for it, and what a member
// leaves to the others when it is gone.

#include "actors/router.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

namespace {

/// The events of each member in one slice, in order: where they alternate, of a chunk of its own.
/// Slices of one event each would cost a message to the handler, or a run on the wire, each.
std::map<std::uint32_t, slice> shares_of(const slice& events,
                                         const std::vector<std::uint32_t>& chosen) {
  if (std::all_of(chosen.begin(), chosen.end(),
                  [&](std::uint32_t member) { return member == chosen.front(); }))
    return {{chosen.front(), events}};
  std::map<std::uint32_t, std::shared_ptr<chunk>> parts;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    auto& part = parts[chosen[i]];
    if (!part)
      part = std::make_shared<chunk>();
    part->entries.push_back(events.events->entries[events.begin + i]);
  }
  std::map<std::uint32_t, slice> all;
  for (auto& [member, part] : parts) {
    const auto size = static_cast<std::uint32_t>(part->entries.size());
    all.emplace(member, slice{std::move(part), 0, size, 0});
  }
  return all;
}

/// One copy of an event for each peer, though several there want it: in runs that go to the same.
void offer_together(peers& to, const slice& events,
                    const std::vector<std::vector<std::uint32_t>>& chosen,
                    std::span<const std::uint32_t> theirs, time_point now, effect_list& out) {
  std::vector<std::uint32_t> targets;
  std::vector<std::uint32_t> next;
  auto begin = events.begin;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    next.assign(theirs.begin(), theirs.end());
    for (const auto& of_group : chosen)
      if (subscriber_index::is_remote(of_group[i]))
        next.insert(std::upper_bound(next.begin(), next.end(), of_group[i]), of_group[i]);
    if (i > 0 && next != targets) {
      to.offer({events.events, begin, events.begin + i, 0}, targets, now, out);
      begin = events.begin + i;
    }
    targets.swap(next);
  }
  to.offer({events.events, begin, events.end, 0}, targets, now, out);
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

/// Events of topics that groups want: each to the member that is chosen for it in each of them, and
/// to the subscriptions of peers that want it for themselves (`theirs`).
void router::offer_shared(const slice& events, std::span<const std::uint32_t> shared,
                          std::span<const std::uint32_t> theirs, time_point now, effect_list& out) {
  std::vector<std::vector<std::uint32_t>> chosen;
  for (const auto group : shared) {
    auto& of_group = chosen.emplace_back(events.size());
    for (std::uint32_t i = 0; i < events.size(); ++i)
      of_group[i] = groups_.choose(group, *events.events->entries[events.begin + i].event);
  }
  const bool together = shared.size() > 1 || !theirs.empty();
  for (const auto& of_group : chosen)
    for (const auto& [member, part] : shares_of(events, of_group)) {
      if (!subscriber_index::is_remote(member)) {
        slots_[member]->owed->offer(part.events, part.begin, part.end, now, out);
        touch(member);
      } else if (!together || planted("group_member_chosen_twice")) {
        peers_.offer(part, {&member, 1}, now, out);
      }
    }
  if (together)
    offer_together(peers_, events, chosen, theirs, now, out);
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
