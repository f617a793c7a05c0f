// What peers say about members, and what follows from it.

#include "actors/membership.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

namespace effect = membership_effects;

// -- merging ------------------------------------------------------------------

void membership::apply_all(const peer_identity& peer, const membership_frame& frame, time_point now,
                           effects& out) {
  if (is_quarantined(table_.find(peer.node), now)) {
    counts_.quarantined += frame.updates.size();
    return;
  }
  source how = source::gossip;
  if (std::holds_alternative<membership_messages::table>(frame.message))
    how = source::table;
  else if (std::holds_alternative<membership_messages::join_ok>(frame.message))
    how = state_ == self_state::joining ? source::first_table : source::table;
  for (const auto& one : frame.updates)
    apply(one, how, peer.node, now, out);
}

void membership::apply(const member_update& what, source how, node_id peer, time_point now,
                       effects& out) {
  if (what.node == self_.node)
    return about_self(what, now, out);
  const member_slot which = table_.find(what.node);
  if (which == no_member)
    return apply_unknown(what, how, now, out);
  const member_record& known = table_[which];
  if (known.superseded || what.boot_epoch < known.boot_epoch)
    return;
  if (what.boot_epoch > known.boot_epoch)
    return hint(what.node, what.boot_epoch, what.profile.address, now, out);
  if (what.inc > known.inc && what.inc - known.inc > refutation_limit::max_step) {
    ++counts_.forged_inc;
    return penalize(peer, now, out);
  }
  apply_known(which, what, how, peer, now, out);
}

void membership::apply_known(member_slot which, const member_update& what, source how, node_id peer,
                             time_point now, effects& out) {
  const member_record& known = table_[which];
  const bool newer = what.inc > known.inc;
  // The dead of another's table may just have been out of its sight, and so may those of gossip
  // from across a healed partition: they get to answer.
  const bool answerable = known.is_live() && (newer || !suspects_.had_shortest(which, now));
  const bool doubted = what.state == member_state::dead && (how != source::gossip || answerable);
  const member_state state = doubted ? member_state::suspect : what.state;
  if (known.state == member_state::left) {
    // Final, unless it says otherwise itself.
    if (newer && state == member_state::alive)
      hint(what.node, what.boot_epoch, table_.profile(which).address, now, out);
    return;
  }
  switch (state) {
  case member_state::alive:
    if (what.profile.is_known() && (newer || (what.inc == known.inc && !known.detailed))) {
      set_details(which, what.profile.address, what.profile.meta, out);
      news_of(which, now);
    }
    if (newer)
      set_alive(which, what.inc, now, out);
    return;
  case member_state::suspect:
    if (!newer && (what.inc != known.inc || !known.is_live()))
      return;
    set_suspect(which, what.inc, what.from, now, out);
    if (doubted && how == source::gossip) // somebody's time for it is up
      suspects_.shorten(which);
    else if (doubted) // two that think so: the one whose table it is, and the one that accused
                      // first
      set_suspect(which, what.inc, peer, now, out);
    return;
  case member_state::dead:
  case member_state::left:
    if (newer || (what.inc == known.inc && state > known.state))
      set_gone(which, what.inc, state, what.from, now, out);
    return;
  }
}

void membership::apply_unknown(const member_update& what, source how, time_point now,
                               effects& out) {
  if (what.state > member_state::suspect || !what.profile.is_known())
    return;
  if (what.inc > refutation_limit::max_step) {
    ++counts_.forged_inc;
    return;
  }
  // Somebody else under a name that is taken: only the node itself can claim it.
  const member_slot holder = table_.find_name(what.profile.name);
  if (holder != no_member && (holder == 0 || table_[holder].is_live()))
    return hint(what.node, what.boot_epoch, what.profile.address, now, out);
  member_record record{.node = what.node, .boot_epoch = what.boot_epoch, .inc = what.inc};
  record.detailed = true;
  const member_slot at = add(record, what.profile, how != source::first_table, now);
  if (at == no_member)
    return;
  if (how == source::first_table)
    news_.drop(at); // the others have it from the node that let this one in
  tell(member_event::joined, at, {}, out);
  if (what.state == member_state::suspect)
    set_suspect(at, what.inc, what.from, now, out);
}

member_slot membership::add(const member_record& what, const member_profile_view& profile,
                            bool limited, time_point now) {
  if (limited && !new_members_.allow(now)) {
    ++counts_.rate_limited;
    // What is left out now is asked for soon.
    sync_within(2 * how_.probe_interval, now);
    return no_member;
  }
  if (table_.live().empty())
    next_probe_ = now + random_part(how_.probe_interval);
  std::optional<member_slot> evicted;
  const member_slot at = table_.add(what, profile, evicted);
  if (evicted)
    forget(*evicted);
  if (at == no_member) {
    ++counts_.table_full;
    return at;
  }
  order_.insert(at, chance_);
  news_of(at, now);
  return at;
}

// -- about this node --------------------------------------------------------------

void membership::about_self(const member_update& what, time_point now, effects& out) {
  if (what.boot_epoch > self_.boot_epoch)
    return hint(what.node, what.boot_epoch, what.profile.address, now, out);
  const std::uint64_t own = table_[0].inc;
  const bool accused = what.state != member_state::alive && what.inc >= own;
  // Only this node raises its incarnation: a higher one is forged, and has to be outdone.
  const bool forged = what.inc > own;
  if (what.boot_epoch < self_.boot_epoch || !(accused || forged) ||
      planted("suspicion_without_refutation"))
    return;
  const std::uint64_t step = what.inc - own + 1; // 0 when there is no greater number
  const auto verdict = step > 0 ? raises_.ask(step, now) : refutation_limit::verdict::refused;
  if (verdict != refutation_limit::verdict::allowed)
    ++counts_.forged_inc;
  if (verdict == refutation_limit::verdict::refused)
    return;
  ++counts_.refutations;
  worsen_health(1);
  table_.set_key(0, self_.boot_epoch, what.inc + 1, member_state::alive, now);
  news_of(0, now);
  // Whoever took this node for gone did not send it any news meanwhile.
  sync_within(2 * how_.probe_interval, now);
}

// -- what becomes of a member --------------------------------------------------------

void membership::hear_directly(const peer_identity& peer, std::uint64_t inc, time_point now,
                               effects& out) {
  const member_slot which = table_.find(peer.node);
  if (which == no_member)
    add_in_person(peer, inc, state_ == self_state::joined, now, out);
  else if (inc > table_[which].inc)
    set_alive(which, inc, now, out);
}

void membership::set_live_key(member_slot which, std::uint64_t boot_epoch, std::uint64_t inc,
                              time_point now) {
  const bool was_live = table_[which].is_live();
  if (table_.live().empty())
    next_probe_ = now + random_part(how_.probe_interval);
  table_.set_key(which, boot_epoch, inc, member_state::alive, now);
  if (!was_live)
    order_.insert(which, chance_);
}

void membership::set_alive(member_slot which, std::uint64_t inc, time_point now, effects& out) {
  const bool accused = table_[which].state != member_state::alive;
  suspects_.stop(which);
  set_live_key(which, table_[which].boot_epoch, inc, now);
  news_of(which, now);
  if (accused)
    tell(member_event::alive_again, which, {}, out);
}

void membership::set_details(member_slot which, std::string_view address,
                             std::span<const std::byte> meta, effects& out) {
  const member_profile& known = table_.profile(which);
  table_.set_detailed(which, true);
  if (known.address == address &&
      std::equal(known.meta.begin(), known.meta.end(), meta.begin(), meta.end()))
    return;
  const std::string name = known.name; // for as long as it runs
  table_.set_profile(which, {name, address, meta});
  tell(member_event::changed, which, {}, out);
}

void membership::set_suspect(member_slot which, std::uint64_t inc, node_id by, time_point now,
                             effects& out) {
  const member_record& known = table_[which];
  if (known.state == member_state::suspect && known.inc == inc) {
    if (!suspects_.confirm(which, by))
      return;
    table_.profile(which).from = by;
    return news_of(which, now);
  }
  const bool told = known.state == member_state::suspect;
  if (!known.is_live())
    set_live_key(which, known.boot_epoch, inc, now);
  table_.set_key(which, known.boot_epoch, inc, member_state::suspect, now);
  table_.profile(which).from = by;
  suspects_.stop(which);
  if (suspects_.size() == 0)
    ask_suspects_later(now);
  const std::size_t confirmers = table_.live().size() - suspects_.size() - 1;
  suspects_.start(which, by,
                  span_of_suspicion(how_.probe_interval, how_.suspicion_mult, how_.suspicion_max,
                                    size(), confirmers),
                  now);
  news_of(which, now);
  if (!told)
    tell(member_event::suspect, which, by, out);
}

void membership::set_gone(member_slot which, std::uint64_t inc, member_state state, node_id by,
                          time_point now, effects& out) {
  assert(which != 0 && state >= member_state::dead);
  if (table_.dead_count() == 0)
    next_reconnect_ = now + random_part(how_.reconnect_interval);
  suspects_.stop(which);
  table_.set_key(which, table_[which].boot_epoch, inc, state, now);
  table_.profile(which).from = by;
  news_of(which, now);
  seeds_.lost(table_[which].node, now);
  tell(state == member_state::dead ? member_event::dead : member_event::left, which, by, out);
  // Where many are gone, much gossip is lost on them.
  sync_within(10 * how_.probe_interval, now);
  if (table_.live().empty()) {
    // Alone: perhaps it is this node that is cut off. What it believed of the others meanwhile is
    // not worth telling them once they are back.
    news_.clear();
    seeds_.restart(now);
  }
}

void membership::sync_within(duration time, time_point now) {
  next_sync_ = std::min(next_sync_, now + time / 2 + random_part(time / 2));
}

// -- passing it on ----------------------------------------------------------------

void membership::news_of(member_slot which, time_point now) {
  if (news_.empty())
    next_gossip_ = std::max(next_gossip_, now);
  news_.push(which);
}

void membership::hint(node_id who, std::uint64_t boot_epoch, std::string_view address,
                      time_point now, effects& out) {
  if (address != self_.address && hints_.add(who, boot_epoch, address, now))
    out.emplace_back(effect::dial{std::string(address), who, dial_reason::newer_start});
}

void membership::tell(member_event what, member_slot about, node_id by, effects& out,
                      std::string text) {
  out.emplace_back(effect::changed{what, status_of(about), by, std::move(text)});
}

} // namespace edupulse
