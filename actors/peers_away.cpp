// Peers that are believed dead: what becomes of what they are owed.
//
//     here --away--> away --session, new start--> here
//                      +--time runs out--> given up: dead letters, and no peer any more

#include "actors/peers.hpp"
#include <algorithm>

namespace edupulse {

void peers::away(std::uint32_t id, time_point gives_up, time_point now, effect_list& out) {
  auto* at = peers_.find(id);
  if (at == nullptr || at->gives_up)
    return;
  auto& one = *at;
  one.gives_up = gives_up;
  for_each_known(one, [&](const entry::known& what) {
    if (shared_.is_member(what.index))
      shared_.leave(what.index); // the others get what is new
    else
      table_.remove(what.index);
    one.to->owed().find(what.index)->set_away(true, now, out);
  });
  if (one.to->has_session())
    one.io.emplace_back(link_effects::cut{"it is believed dead"});
  touch(id, one);
}

void peers::back(entry& who, time_point now, effect_list& out) {
  if (!std::exchange(who.gives_up, std::nullopt))
    return;
  for_each_known(who, [&](const entry::known& what) {
    const auto& filter = names_[what.index].filter;
    if (shared_.is_member(what.index))
      shared_.stay(what.index, out);
    else if (!filter.of_runtime())
      table_.add(what.index, filter);
    who.to->owed().find(what.index)->set_away(false, now, out);
  });
}

void peers::give_up(std::uint32_t id, obituary how, effect_list& out) {
  auto* at = peers_.find(id);
  if (at == nullptr)
    return;
  auto& one = *at;
  if (one.to->has_session()) // nothing more is flushed once it is forgotten
    out.emplace_back(said_to(id, link_effects::cut{how.reason}));
  const auto first = out.size();
  for_each_known(one, [&](const entry::known& what) {
    if (shared_.is_member(what.index))
      return; // what it is owed goes to the others, when it is removed
    table_.remove(what.index);
    one.to->owed().give_up(what.index, how, out);
  });
  const auto buried = std::count_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                                    [](const edupulse::effect& what) {
                                      return std::holds_alternative<edupulse::effects::bury>(what);
                                    });
  auto name = one.name;
  remove(id, drop_reason::unreachable, out);
  out.emplace_back(
      edupulse::effects::peer_gone{id, std::move(name), static_cast<std::size_t>(buried)});
}

std::vector<std::uint32_t> peers::overdue(time_point now) const {
  std::vector<std::uint32_t> all;
  for (auto at = due_.begin(); at != due_.end() && at->first <= now; ++at)
    if (const auto& gives_up = peers_[at->second].gives_up; gives_up && *gives_up <= now)
      all.push_back(at->second);
  return all;
}

std::optional<std::uint32_t> peers::find(std::string_view name) const {
  std::optional<std::uint32_t> found;
  peers_.for_each([&](std::uint32_t, const entry& one) {
    for (const auto& [number, what] : one.known_by_number)
      if (!found && !one.gives_up && what.name == name)
        found = what.index;
  });
  return found;
}

void peers::redrive(std::uint32_t index, dead_letter&& letter, effect_list& out) {
  const auto id = subscriber_index::peer_of(index);
  auto& of = peers_[id];
  of.to->owed().redrive(index, std::move(letter), out);
  touch(id, of);
}

} // namespace edupulse
