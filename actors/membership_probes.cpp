// Probing, directly and through others.

#include "actors/membership.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

namespace msg = membership_messages;

namespace {

/// Probes that run at once: the one of the round, and those of links that just broke. Others wait
/// for their turn, which comes next.
constexpr std::size_t max_probes = 8;
/// Pings for others that run at once. Beyond, the answer is a nack at once.
constexpr std::size_t max_relays = 32;
/// Suspects that are asked at once.
constexpr std::size_t max_asked = 16;

} // namespace

void membership::start_probe(member_slot who, time_point now, effects& out) {
  const node_id target = table_[who].node;
  const bool running = std::any_of(probes_.begin(), probes_.end(),
                                   [&](const probe& one) { return one.target == target; });
  if (running)
    return;
  if (probes_.size() >= max_probes)
    return order_.put_first(who);
  const auto patience = static_cast<duration::rep>(planted("own_health_ignored") ? 1 : health_ + 1);
  probes_.push_back({who, target, ++seq_, now + how_.probe_timeout * patience,
                     now + how_.probe_interval * patience});
  // A suspect is told that it is one, so that it can refute at once.
  const bool suspect = table_[who].state == member_state::suspect;
  send(who, msg::ping{seq_, target}, out, suspect ? who : no_member);
}

void membership::run_probes(time_point now, effects& out) {
  for (std::size_t i = 0; i < probes_.size();) {
    if (probes_[i].ends <= now) {
      const probe over = std::move(probes_[i]);
      probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
      probe_failed(over, now, out);
      continue;
    }
    if (!probes_[i].asked && probes_[i].ask_at <= now)
      ask_helpers(probes_[i], out);
    ++i;
  }
  if (next_probe_ > now || table_.live().empty())
    return;
  next_probe_ = now + how_.probe_interval * static_cast<duration::rep>(health_ + 1);
  if (const member_slot who = order_.next(table_, chance_); who != no_member)
    start_probe(who, now, out);
}

void membership::ask_helpers(probe& one, effects& out) {
  one.asked = true;
  if (table_[one.who].node != one.target || !table_[one.who].is_live())
    return;
  // A suspect would be a poor helper, and its silence no sign of this node's own trouble.
  const std::size_t helpers = planted("probe_without_relays") ? 0 : how_.indirect_probes;
  for (const member_slot helper : random_live(helpers, one.target, false)) {
    one.helpers.push_back({table_[helper].node});
    send(helper, msg::ping_request{one.seq, one.target}, out);
  }
  if (table_[one.who].data_link)
    send(one.who, msg::ping{one.seq, one.target}, out, no_member, true);
}

void membership::probe_failed(const probe& one, time_point now, effects& out) {
  // None of the helpers said anything: perhaps it is this node that is not heard. (One silent
  // helper among several is rather a second dead member.)
  const bool heard = std::any_of(one.helpers.begin(), one.helpers.end(),
                                 [](const auto& helper) { return helper.nacked; });
  if (!one.helpers.empty() && !heard)
    worsen_health(1);
  const member_record& target = table_[one.who];
  if (target.node == one.target && target.is_live())
    set_suspect(one.who, target.inc, self_.node, now, out);
}

/// Gossip that puts a suspicion right may pass this node by, and in a large cluster its turn to
/// probe the suspect comes late: each suspect is told what is said of it, until it contradicts.
void membership::ask_suspects(time_point now, effects& out) {
  ask_suspects_later(now);
  for (std::size_t count = std::min(suspects_.size(), max_asked); count > 0; --count) {
    last_asked_ = suspects_.after(last_asked_);
    send(last_asked_, msg::ping{++seq_, table_[last_asked_].node}, out, last_asked_);
  }
}

void membership::ask_suspects_later(time_point now) {
  next_asking_ = now + how_.probe_interval + random_part(how_.probe_interval);
}

void membership::on_ack(node_id from, std::uint32_t seq, time_point now, effects& out) {
  const auto answered = std::find_if(probes_.begin(), probes_.end(), [&](const probe& one) {
    return one.seq == seq &&
           (one.target == from || std::any_of(one.helpers.begin(), one.helpers.end(),
                                              [&](auto& helper) { return helper.who == from; }));
  });
  if (answered != probes_.end()) {
    probes_.erase(answered);
    health_ -= health_ > 0 ? 1 : 0;
    return;
  }
  const auto relayed = std::find_if(relays_.begin(), relays_.end(), [&](const relayed_ping& one) {
    return one.seq == seq && one.target == from;
  });
  if (relayed != relays_.end()) {
    if (const member_slot asker = table_.find(relayed->asker); asker != no_member)
      send(asker, msg::ack{relayed->asked_seq}, out);
    relays_.erase(relayed);
    return;
  }
  if (std::erase(goodbyes_, std::pair(from, seq)) > 0)
    finish_leaving_if_done(now, out);
}

void membership::on_nack(node_id from, std::uint32_t seq) {
  for (auto& one : probes_)
    if (one.seq == seq)
      for (auto& helper : one.helpers)
        helper.nacked = helper.nacked || helper.who == from;
}

void membership::on_ping_request(const peer_identity& from, std::uint32_t seq, node_id target,
                                 time_point now, effects& out) {
  if (target == self_.node)
    return send_to(from, msg::ack{seq}, out);
  const member_slot who = table_.find(target);
  if (who == no_member || table_[who].superseded || relays_.size() >= max_relays)
    return send_to(from, msg::nack{seq}, out);
  relays_.push_back({from.node, seq, target, ++seq_, now + how_.probe_timeout * 4 / 5,
                     now + how_.probe_interval});
  const bool accused = table_[who].state != member_state::alive;
  send(who, msg::ping{seq_, target}, out, accused ? who : no_member);
}

void membership::run_relays(time_point now, effects& out) {
  for (auto& one : relays_)
    if (!one.nacked && one.nack_at <= now) {
      one.nacked = true;
      if (const member_slot asker = table_.find(one.asker); asker != no_member)
        send(asker, msg::nack{one.asked_seq}, out);
    }
  std::erase_if(relays_, [now](const relayed_ping& one) { return one.ends <= now; });
}

} // namespace edupulse
