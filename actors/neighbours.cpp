#include "actors/neighbours.hpp"
#include "schemas/overloaded.hpp"

namespace edupulse {

void neighbours::apply(router& to, peer_input&& what, time_point now, effect_list& out) {
  using namespace peer_inputs;
  const auto with = [&](std::uint64_t session, auto then) {
    if (auto* from = of_session(session))
      then(from->peer);
  };
  std::visit(
      overloaded{
          [&](session_up& in) { on_up(to, in, now, out); },
          [&](session_lost& in) {
            auto* from = of_session(in.session);
            if (from == nullptr)
              return;
            from->session = 0;
            by_session_.erase(in.session);
            to.on_session_lost(from->peer, now, out);
          },
          [&](control& in) {
            with(in.session,
                 [&](std::uint32_t peer) { to.on_control(peer, std::move(in.what), now, out); });
          },
          [&](frame& in) {
            with(in.session,
                 [&](std::uint32_t peer) { to.on_frame(peer, std::move(in.runs), now, out); });
          },
          [&](arriving& in) {
            with(in.session, [&](std::uint32_t peer) { to.on_arriving(peer, now, out); });
          },
          [&](written& in) {
            with(in.session, [&](std::uint32_t peer) { to.on_written(peer, now, out); });
          },
          [&](gone& in) {
            const auto at = by_name_.find(in.name);
            if (at != by_name_.end() && owns(at->second, to))
              to.on_peer_dead(at->second.peer, now, out); // who has left may be starting again
            end_other_names(to, in.node, in.name, now, out);
          },
          [&](fenced&) { to.on_fenced(now, out); },
      },
      what);
}

/// Earlier starts of the node had them. Membership speaks of its present name, and of no other.
void neighbours::end_other_names(router& to, node_id node, const std::string& present,
                                 time_point now, effect_list& out) {
  for (auto at = names_.lower_bound({node, {}}); at != names_.end() && at->first == node; ++at) {
    auto& one = by_name_.find(at->second)->second;
    if (at->second == present || !owns(one, to))
      continue;
    if (const auto session = std::exchange(one.session, 0); session != 0) {
      by_session_.erase(session);
      to.on_session_lost(one.peer, now, out);
    }
    to.on_peer_dead(one.peer, now, out);
  }
}

void neighbours::on_up(router& to, const peer_inputs::session_up& what, time_point now,
                       effect_list& out) {
  end_other_names(to, what.who.node, what.who.name, now, out);
  if (!by_name_.contains(what.who.name))
    forget_removed(to);
  const auto at = by_name_.try_emplace(what.who.name).first;
  auto& one = at->second;
  const bool same_start = one.node == what.who.node && one.boot_epoch == what.who.boot_epoch &&
                          one.instance == what.who.instance;
  if (one.session != 0) { // the wire ends one before it begins the next
    by_session_.erase(one.session);
    to.on_session_lost(one.peer, now, out);
  }
  if (!owns(one, to)) {
    const auto added = to.add_peer(what.who.name, {}, now, out);
    if (!added) {
      names_.erase({one.node, at->first});
      by_name_.erase(at);
      return; // no room: its session stays without a peer, and what it says is not heard
    }
    one.peer = *added;
    by_peer_[one.peer] = &one;
  } else if (!same_start) {
    to.restart_peer(one.peer, now, out);
  }
  names_.erase({one.node, at->first});
  names_.emplace(what.who.node, at->first);
  one.node = what.who.node;
  one.boot_epoch = what.who.boot_epoch;
  one.instance = what.who.instance;
  one.session = what.session;
  by_session_[what.session] = &one;
  to.on_session(one.peer, now, out);
}

/// A number that the router has given up may be another node's by now; a new entry has none.
bool neighbours::owns(const entry& one, const router& to) const {
  const auto at = by_peer_.find(one.peer);
  return at != by_peer_.end() && at->second == &one && to.has_peer(one.peer);
}

/// Whom the router has given up on is unknown when it returns.
void neighbours::forget_removed(const router& to) {
  std::erase_if(by_name_, [&](const auto& named) {
    const auto& one = named.second;
    if (one.session != 0 || owns(one, to))
      return false;
    if (const auto at = by_peer_.find(one.peer); at != by_peer_.end() && at->second == &one)
      by_peer_.erase(at);
    names_.erase({one.node, named.first});
    return true;
  });
}

neighbours::entry* neighbours::of_session(std::uint64_t session) {
  const auto at = by_session_.find(session);
  return at == by_session_.end() ? nullptr : at->second;
}

std::optional<std::uint64_t> neighbours::session_of(std::uint32_t peer) const {
  const auto at = by_peer_.find(peer);
  if (at == by_peer_.end() || at->second->session == 0)
    return std::nullopt;
  return at->second->session;
}

} // namespace edupulse
