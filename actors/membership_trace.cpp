// What people and tests see of the membership: members, effects as lines, and the invariants.

#include "actors/membership.hpp"
#include <cassert>

namespace edupulse {

namespace effect = membership_effects;

member_status membership::status_of(member_slot which) const {
  const member_record& one = table_[which];
  const member_profile& profile = table_.profile(which);
  return {one.node, profile.name, profile.address, one.boot_epoch,
          one.inc,  one.state,    profile.meta};
}

std::optional<member_status> membership::find(node_id who) const {
  const member_slot which = table_.find(who);
  return which == no_member ? std::nullopt : std::optional(status_of(which));
}

std::vector<member_status> membership::members() const {
  std::vector<member_status> all;
  for (member_slot at = 0; at < table_.slot_end(); ++at)
    if (!table_.is_free(at))
      all.push_back(status_of(at));
  return all;
}

void membership::check() const {
#ifndef NDEBUG
  table_.check();
  assert(table_[0].node == self_.node && table_[0].boot_epoch == self_.boot_epoch);
  assert(health_ <= max_health);
  assert(probes_.size() <= 8 && relays_.size() <= 32);
  assert(news_.size() <= table_.size());
  std::size_t suspects = 0;
  for (const member_slot which : table_.live()) {
    const bool suspect = table_[which].state == member_state::suspect;
    assert(suspect == suspects_.contains(which)); // whoever is suspect has a time limit
    suspects += suspect ? 1 : 0;
  }
  assert(suspects == suspects_.size());
#endif
}

// -- lines --------------------------------------------------------------------

namespace {

std::string short_id(node_id who) { return to_string(who).substr(0, 8); }

struct line {
  std::string operator()(const effect::send& what) const {
    return "send to=" + short_id(what.to) + " bytes=" + std::to_string(what.bytes.size()) +
           (what.over_data_link ? " over=data" : "");
  }
  std::string operator()(const effect::dial& what) const {
    return "dial address=" + what.address + " why=" + std::string(to_string(what.why)) +
           (what.node.is_nil() ? "" : " node=" + short_id(what.node));
  }
  std::string operator()(const effect::changed& what) const {
    return "member " + std::string(to_string(what.what)) + " node=" + short_id(what.member.node) +
           " name=" + quote(what.member.name) + " epoch=" + std::to_string(what.member.boot_epoch) +
           " inc=" + std::to_string(what.member.inc) +
           (what.by.is_nil() ? "" : " by=" + short_id(what.by)) + text(what.text);
  }
  std::string operator()(const effect::self_changed& what) const {
    return "self " + std::string(to_string(what.now)) + text(what.text);
  }
  std::string operator()(const effect::conflict& what) const {
    return "conflict node=" + short_id(what.other.node) + " address=" + what.other.address +
           text(what.text);
  }
  std::string operator()(const effect::refused& what) const {
    return "refused by=" + short_id(what.by) + " reason=\"" + std::string(to_string(what.reason)) +
           "\" epoch=" + std::to_string(what.boot_epoch) + " text=" + what.text;
  }
  std::string operator()(const effect::misbehaving& what) const {
    return "misbehaving node=" + short_id(what.peer) + text(what.text);
  }

  static std::string text(const std::string& what) {
    return what.empty() ? "" : " text=\"" + what + '"';
  }
};

} // namespace

std::string to_string(const membership_effect& what) { return std::visit(line{}, what); }

std::string_view to_string(hello_verdict what) noexcept {
  constexpr std::string_view names[] = {"accepted", "itself",     "wrong cluster", "malformed",
                                        "fenced",   "superseded", "conflict",      "over"};
  return names[static_cast<std::size_t>(what)];
}

std::string_view to_string(self_state state) noexcept {
  constexpr std::string_view names[] = {"idle", "joining", "joined", "leaving", "left", "fenced"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(member_event what) noexcept {
  constexpr std::string_view names[] = {"joined",   "suspect",     "dead",   "left",
                                        "replaced", "alive_again", "changed"};
  return names[static_cast<std::size_t>(what)];
}

std::string_view to_string(dial_reason why) noexcept {
  constexpr std::string_view names[] = {"seed", "newer start", "dead"};
  return names[static_cast<std::size_t>(why)];
}

} // namespace edupulse
