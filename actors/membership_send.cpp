// What is said, and to whom.

#include "actors/fixed_log.hpp"
#include "actors/membership.hpp"
#include <algorithm>

namespace edupulse {

namespace msg = membership_messages;
namespace effect = membership_effects;

namespace {

/// A peer gets a whole table at most so often, whatever it asks for.
constexpr duration table_pause = std::chrono::milliseconds(500);

} // namespace

membership_header membership::header() const {
  return {cluster_, self_.node, self_.boot_epoch, table_[0].inc};
}

member_update membership::update_of(member_slot which, bool in_table) const {
  const member_record& one = table_[which];
  member_update what{one.node, one.boot_epoch, one.inc, one.state, {}, {}};
  if (one.state == member_state::suspect || one.state == member_state::dead)
    what.from = table_.profile(which).from;
  if (one.state == member_state::alive || (in_table && one.is_live()))
    what.profile = table_.profile(which).view();
  return what;
}

std::vector<std::byte> membership::with_news(const membership_message& what, std::uint32_t times,
                                             member_slot first) {
  membership_writer frame(header(), what);
  if (first != no_member)
    frame.add(update_of(first, false));
  const std::uint32_t limit =
      how_.retransmit_mult * std::max(1u, ceil_log10(static_cast<std::uint64_t>(size()) + 1));
  news_.take(limit, times, [&](member_slot about) {
    return about == first || frame.add(update_of(about, false));
  });
  return frame.finish();
}

void membership::send(member_slot to, const membership_message& what, effects& out,
                      member_slot first, bool over_data_link) {
  out.emplace_back(effect::send{table_[to].node, table_.profile(to).address,
                                with_news(what, 1, first), over_data_link});
}

void membership::send_to(const peer_identity& to, const membership_message& what, effects& out,
                         member_slot first) {
  out.emplace_back(effect::send{to.node, to.address, with_news(what, 1, first)});
}

void membership::send_bare(const peer_identity& to, const membership_message& what, effects& out) {
  membership_writer frame(header(), what);
  if (std::holds_alternative<msg::join>(what))
    frame.add(update_of(0, true));
  out.emplace_back(effect::send{to.node, to.address, frame.finish()});
}

membership_refused membership::refusal(const peer_identity& peer, hello_verdict why) const {
  switch (why) {
  case hello_verdict::wrong_cluster:
    return refusal(peer, membership_refusal::wrong_cluster);
  case hello_verdict::fenced:
    return refusal(peer, membership_refusal::fenced);
  case hello_verdict::superseded:
  case hello_verdict::conflict:
    return refusal(peer, membership_refusal::conflict);
  default:
    return {membership_refusal::other, std::string(to_string(why)), 0, {}};
  }
}

membership_refused membership::refusal(const peer_identity& peer, membership_refusal why) const {
  switch (why) {
  case membership_refusal::wrong_cluster:
    return {why, "this is cluster " + quote(self_.cluster), 0, {}};
  case membership_refusal::version:
    return {why,
            "this node speaks version " + std::to_string(version_major) + " of the protocol",
            0,
            {}};
  case membership_refusal::full:
    return {why, "there is no room for another member", 0, {}};
  case membership_refusal::conflict:
    return {why, "another process has this name or id", 0, {}};
  default:
    break;
  }
  const bool self = peer.node == self_.node;
  const member_slot known = self ? member_slot{0} : table_.find(peer.node);
  if (known == no_member)
    return {why, {}, 0, {}};
  return {why, "a later start of this node was met", table_[known].boot_epoch,
          table_.profile(known).address};
}

void membership::refuse(const peer_identity& peer, membership_refusal why, effects& out) {
  const membership_refused what = refusal(peer, why);
  const auto text = std::string_view(what.text).substr(0, membership_limits::text_bytes);
  send_bare(peer, msg::refused{why, text, what.boot_epoch, what.address}, out);
}

// -- tables -------------------------------------------------------------------

template <class Message> void membership::send_parts(member_slot to, Message what, effects& out) {
  std::vector<membership_writer> parts;
  parts.emplace_back(header(), what);
  for (member_slot at = 0; at < table_.slot_end(); ++at) {
    if (table_.is_free(at) || table_[at].superseded)
      continue;
    const member_update one = update_of(at, true);
    if (!parts.back().add(one)) {
      parts.emplace_back(header(), what);
      parts.back().add(one);
    }
  }
  what.parts = static_cast<std::uint16_t>(parts.size());
  for (auto& part : parts) {
    part.amend(what);
    ++what.part;
    out.emplace_back(effect::send{table_[to].node, table_.profile(to).address, part.finish()});
  }
}

void membership::send_table(member_slot to, table_kind kind, time_point now, effects& out) {
  time_point& sent = table_.profile(to).table_sent;
  if (now < sent + table_pause)
    return;
  sent = now;
  if (kind == table_kind::join_ok)
    send_parts(to, msg::join_ok{0, 0}, out);
  else
    send_parts(to, msg::table{0, 0, kind == table_kind::wanted}, out);
}

void membership::compare_with_somebody(time_point now, effects& out) {
  next_sync_ = now + how_.sync_interval;
  for (const member_slot who : random_live(1))
    send(who, msg::offer{table_.digest()}, out);
}

void membership::agreed_with(const peer_identity& peer, time_point now) {
  seeds_.agreed(peer.node);
  // Above 32 members tables are long, and gossip has many ways to each of them: when nothing was
  // missed, the next comparison can wait.
  const std::uint32_t doublings = ceil_log2(size());
  const std::uint32_t scale = doublings > 5 ? doublings - 5 + 1 : 1;
  next_sync_ = std::max(next_sync_, now + how_.sync_interval * scale);
}

// -- gossip -------------------------------------------------------------------

void membership::send_gossip(effects& out) {
  const auto told = random_live(how_.gossip_fanout);
  if (told.empty())
    return;
  // One frame for all of them.
  const auto bytes = with_news(msg::gossip{}, static_cast<std::uint32_t>(told.size()), no_member);
  for (const member_slot who : told)
    out.emplace_back(effect::send{table_[who].node, table_.profile(who).address, bytes});
}

std::vector<member_slot> membership::random_live(std::size_t count, node_id but, bool suspects) {
  // The first steps of a shuffle (Fisher, Yates), with the few swaps kept aside.
  const auto live = table_.live();
  std::vector<member_slot> chosen;
  std::vector<std::pair<std::size_t, std::size_t>> moved;
  const auto at = [&](std::size_t i) {
    for (const auto& [from, to] : moved)
      if (from == i)
        return to;
    return i;
  };
  for (std::size_t i = 0; i < live.size() && chosen.size() < count; ++i) {
    const std::size_t pick = i + below(live.size() - i, chance_);
    const member_slot drawn = live[at(pick)];
    const std::size_t displaced = at(i);
    std::erase_if(moved, [&](const auto& one) { return one.first == pick; });
    moved.emplace_back(pick, displaced);
    const bool wanted = suspects || table_[drawn].state == member_state::alive;
    if (wanted && table_[drawn].node != but)
      chosen.push_back(drawn);
  }
  return chosen;
}

} // namespace edupulse
