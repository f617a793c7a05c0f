// The router's subscriptions: how they come, pause, go on, and go.

#include "actors/router.hpp"
#include <algorithm>

namespace edupulse {

expected<std::uint32_t> router::subscribe(std::string name, topic_filter filter,
                                          subscription_options options, time_point now,
                                          effect_list& out) {
  if (stopped_)
    return fail(errc::stopping, "the node is stopping: no new subscriptions");
  if (name.empty() || name.size() > 255)
    return fail(errc::invalid_option, "a subscription needs a name of 1 to 255 bytes");
  if (names_.contains(name))
    return fail(errc::duplicate_name,
                "there is a subscription named '" + name + "' on this node: unsubscribe it first");
  if (auto good = check_options(options); !good)
    return tl::unexpected<error>(good.error());
  const auto group = options.group;
  const auto member = name + "@" + how_.node_name;
  const group_terms terms{filter, options.order, backlog_of(options)};
  if (auto good = group.empty() ? expected<void>() : groups_.may_join(group, member, terms); !good)
    return tl::unexpected<error>(good.error());
  auto what = std::make_unique<slot>();
  what->own_scope = options.scope.empty();
  if (what->own_scope) {
    auto scope = supervision_.add_scope("subscription:" + name, {});
    if (!scope)
      return tl::unexpected<error>(scope.error());
    what->scope = *scope;
  } else if (auto scope = supervision_.find_scope(options.scope)) {
    what->scope = *scope;
  } else {
    return fail(errc::not_found, "there is no scope named '" + options.scope +
                                     "': declare it with node::scope first");
  }
  const auto which = static_cast<std::uint32_t>(slots_.size());
  what->filter = std::move(filter);
  what->lanes.resize(options.concurrency);
  what->owed = std::make_unique<delivery>(delivery::settings{which, name, how_.node_name, options,
                                                             how_.seed + which * 0x9e37ULL,
                                                             how_.wall_offset_ms},
                                          book_, now);
  book_.name_subscription(which, name);
  book_.name_subscription(ledger::received(which), name);
  if (group.empty())
    table_.add(which, what->filter);
  else
    what->owed->sit(groups_.join(group, which, member, terms, out));
  slots_.push_back(std::move(what));
  all_names_.push_back(name);
  names_.emplace(std::move(name), which);
  auto& added = *slots_[which];
  supervision::effects asked;
  for (std::uint32_t at = 0; at < added.lanes.size(); ++at) {
    added.lanes[at].child = supervision_.add_child(added.scope, options.restart, now, asked);
    places_[added.lanes[at].child] = place{which, at};
  }
  if (supervision_.state(added.scope) == supervision::scope_state::quarantined)
    added.owed->set_quarantined(true, now, out);
  follow(std::move(asked), now, out);
  if (!slots_[which]->filter.of_runtime())
    peers_.announce(announcement(which));
  touch(which);
  finish_turn(now, out);
  return which;
}

expected<void> router::unsubscribe(std::uint32_t which, time_point now, effect_list& out) {
  auto* what = live(which);
  if (what == nullptr || what->removing)
    return fail(errc::not_found, "no such subscription: it was unsubscribed already");
  end_subscription(which, drop_reason::unsubscribed, now, out);
  finish_turn(now, out);
  return {};
}

void router::end_subscription(std::uint32_t which, drop_reason why, time_point now,
                              effect_list& out) {
  auto& what = *slots_[which];
  what.removing = true;
  table_.remove(which);
  if (auto* seat = what.owed->seat())
    seat->leave();
  what.owed->remove(why, out);
  supervision::effects asked;
  for (auto& one : what.lanes)
    supervision_.remove_child(one.child, asked);
  follow(std::move(asked), now, out);
  for (auto& one : what.lanes)
    places_.erase(one.child); // the id may be given to another child from now on
  touch(which);
}

void router::finish_removal(std::uint32_t which, effect_list& out) {
  auto& what = *slots_[which];
  const bool all_down = std::all_of(what.lanes.begin(), what.lanes.end(),
                                    [](const lane& one) { return one.phase == lane_phase::down; });
  if (!all_down)
    return;
  if (groups_.is_member(which))
    groups_.part(which, what.owed->hand_over(), out);
  if (!what.owed->idle())
    return;
  if (what.wake)
    wakes_.erase({*what.wake, which});
  if (what.own_scope)
    supervision_.remove_scope(what.scope);
  names_.erase(what.owed->about().name);
  if (what.ended_by_itself)
    out.emplace_back(effects::ended{which});
  out.emplace_back(effects::unsubscribed{which});
  slots_[which].reset();
  book_.retire_subscription(which);
  book_.retire_subscription(ledger::received(which));
}

expected<void> router::pause(std::uint32_t which, time_point now, effect_list& out) {
  auto* what = live(which);
  if (what == nullptr || what->removing)
    return fail(errc::not_found, "no such subscription: it was unsubscribed already");
  what->owed->pause();
  touch(which);
  finish_turn(now, out);
  return {};
}

expected<void> router::resume(std::uint32_t which, time_point now, effect_list& out) {
  auto* what = live(which);
  if (what == nullptr || what->removing)
    return fail(errc::not_found, "no such subscription: it was unsubscribed already");
  what->owed->resume();
  supervision::effects asked;
  supervision_.resume(what->scope, now, asked);
  follow(std::move(asked), now, out);
  touch(which);
  finish_turn(now, out);
  return {};
}

expected<void> router::add_scope(std::string name, scope_options options) {
  if (name.empty() || name.size() > 255)
    return fail(errc::invalid_option, "the name of a supervision scope must have 1 to 255 bytes");
  auto scope = supervision_.add_scope(std::move(name), options);
  if (!scope)
    return tl::unexpected<error>(scope.error());
  return {};
}

void router::change_options(std::uint32_t which, const subscription_options& to) {
  auto* what = live(which);
  if (what == nullptr || what->removing)
    return;
  what->owed->change(to);
  for (const auto& one : what->lanes)
    supervision_.change_restart(one.child, to.restart);
}

expected<void> router::change_limits(const std::string& scope, const scope_options& to) {
  const auto which = supervision_.find_scope(scope);
  if (!which)
    return fail(errc::not_found, "there is no scope named '" + scope + "'");
  return supervision_.change_limits(*which, to);
}

std::optional<std::uint32_t> router::find(std::string_view name) const {
  const auto at = names_.find(std::string(name));
  return at == names_.end() ? std::nullopt : std::optional(at->second);
}

} // namespace edupulse
