// The router and other nodes: what arrives from peers, and what is told to them.

#include "actors/router.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <tuple>

namespace edupulse {

expected<std::uint32_t> router::add_peer(std::string name, const link::settings& how,
                                         time_point now, effect_list& out) {
  auto numbered = how;
  numbered.number = links_.next() | 1; // never 0
  numbered.kept = kept_.part(how_.peer_budget);
  auto added = peers_.add(std::move(name), numbered, announcements());
  finish_turn(now, out);
  return added;
}

void router::restart_peer(std::uint32_t peer, time_point now, effect_list& out) {
  peers_.restart(peer, announcements(), now, out);
  finish_turn(now, out);
}

void router::on_peer_dead(std::uint32_t peer, time_point now, effect_list& out) {
  peers_.away(peer, now + how_.unreachable_after, now, out);
  finish_turn(now, out);
}

void router::give_up_peer(std::uint32_t peer, std::string_view why, time_point now,
                          effect_list& out) {
  if (!peers_.knows(peer))
    return;
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  peers_.give_up(peer,
                 {how_.node_name,
                  "unreachable: node '" + peers_.node(peer) + "' " + std::string(why),
                  how_.wall_offset_ms + wall.count(), now},
                 out);
}

void router::remove_peer(std::uint32_t peer, drop_reason why, time_point now, effect_list& out) {
  inquiries_.on_lost(peer, out);
  peers_.remove(peer, why, out);
  finish_turn(now, out);
}

/// Also those that are ending: their last conclusions are still to come.
std::vector<announced_subscription> router::announcements() const {
  std::vector<announced_subscription> all;
  for (std::uint32_t which = 0; which < slots_.size(); ++which)
    if (slots_[which] && !slots_[which]->filter.of_runtime())
      all.push_back(announcement(which));
  return all;
}

announced_subscription router::announcement(std::uint32_t which) const {
  const auto& o = options(which);
  return {which,         name(which),      slots_[which]->filter,
          backlog_of(o), o.backlog_events, o.backlog_bytes,
          o.group,       o.order};
}

std::vector<cluster_subscription> router::cluster_subscriptions() const {
  std::vector<cluster_subscription> all;
  for (const auto& what : slots_)
    if (what)
      all.push_back({what->owed->about().name, how_.node_name, what->filter.text(),
                     what->owed->about().options.group});
  peers_.append_subscriptions(all);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.node, a.name) < std::tie(b.node, b.name);
  });
  return all;
}

std::map<std::string, std::size_t> router::kept_for_peers() const {
  std::map<std::string, std::size_t> all;
  peers_.for_each([&](std::uint32_t, const std::string& node, const link& to) {
    all[node] += to.owed().kept_bytes();
  });
  return all;
}

void router::on_session(std::uint32_t peer, time_point now, effect_list& out) {
  peers_.on_session(peer, now, out);
  finish_turn(now, out);
}

void router::on_session_lost(std::uint32_t peer, time_point now, effect_list& out) {
  inquiries_.on_lost(peer, out);
  peers_.on_session_lost(peer, now);
  finish_turn(now, out);
}

void router::on_control(std::uint32_t peer, peer_control&& what, time_point now, effect_list& out) {
  if (const auto* resume = std::get_if<link_resume>(&what);
      resume != nullptr && peers_.has_begun_anew(peer, *resume)) {
    const auto link = resume->link;
    peers_.restart(peer, announcements(), now, out);
    peers_.meet(peer, link);
    tell(peer, link_effects::cut{"it had given this node up: both begin anew"}, out);
    finish_turn(now, out);
    return;
  }
  const bool is_inquiry =
      std::holds_alternative<link_ask>(what) || std::holds_alternative<link_answer>(what);
  auto good = is_inquiry ? on_inquiry(peer, what, now, out)
                         : peers_.on_control(peer, std::move(what), now, out);
  cut_unless(peer, good, now, out);
}

void router::on_frame(std::uint32_t peer, std::vector<incoming_run>&& runs, time_point now,
                      effect_list& out) {
  auto good = peers_.on_events(peer, std::move(runs));
  cut_unless(peer, good, now, out);
}

void router::cut_unless(std::uint32_t peer, const expected<void>& good, time_point now,
                        effect_list& out) {
  if (!good)
    tell(peer, link_effects::cut{good.error().text}, out);
  finish_turn(now, out);
}

void router::on_arriving(std::uint32_t peer, time_point now, effect_list& out) {
  peers_.on_arriving(peer);
  flush_peers(now, out);
}

void router::on_written(std::uint32_t peer, time_point now, effect_list& out) {
  peers_.on_written(peer);
  finish_turn(now, out);
}

void router::acknowledge(const effects::acknowledge& what, time_point now, effect_list& out) {
  peers_.acknowledge(what);
  flush_peers(now, out);
}

void router::tell_conclusions(time_point now, effect_list& out) {
  peers_.tell_conclusions();
  finish_turn(now, out);
}

/// Behind the last conclusions: a peer makes of what is open then what it likes.
void router::withdraw(const effects::unsubscribed& what, time_point now, effect_list& out) {
  peers_.withdraw(what.subscription);
  flush_peers(now, out);
}

void router::tell(std::uint32_t peer, link_effect&& what, effect_list& out) {
  out.emplace_back(said_to(peer, std::move(what)));
}

/// Events that arrived go to their subscriptions; all else is for the shell.
void router::flush_peers(time_point now, effect_list& out) {
  peers_.flush(now, [&](std::uint32_t peer, link_effect&& what) {
    auto* given = std::get_if<link_effects::deliver>(&what);
    if (given == nullptr)
      return tell(peer, std::move(what), out);
    if (auto* to = live(given->subscription)) {
      to->owed->offer_from(peers_.start_of(peer), given->events, given->missed, now, out);
      touch(given->subscription);
      if (planted("ack_before_handler"))
        peers_.acknowledge({peers_.start_of(peer), given->subscription, given->events.first_seq,
                            given->events.size(), fate::handled, drop_reason{}});
    } else {
      out.emplace_back(effects::acknowledge{peers_.start_of(peer), given->subscription,
                                            given->events.first_seq, given->events.size(),
                                            fate::dropped, drop_reason::unsubscribed});
    }
  });
}

} // namespace edupulse
