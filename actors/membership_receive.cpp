// What peers say in person: hellos and messages.

#include "actors/membership.hpp"
#include "schemas/overloaded.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

namespace msg = membership_messages;
namespace effect = membership_effects;

namespace {

constexpr duration refusal_pause = std::chrono::seconds(5);
constexpr duration fault_window = std::chrono::minutes(1);
constexpr duration quarantine_time = std::chrono::minutes(1);
constexpr std::uint32_t max_faults = 100;

membership_refused owned(const msg::refused& what) {
  return {what.reason, std::string(what.text), what.boot_epoch, std::string(what.address)};
}

} // namespace

// -- hellos -------------------------------------------------------------------

hello_verdict membership::on_hello(const peer_identity& peer, std::string_view dialed,
                                   time_point now, effects& out) {
  if (is_over())
    return hello_verdict::over;
  notice_pause(now);
  if (!check_profile({peer.name, peer.address, {}}) || peer.node.is_nil()) {
    ++counts_.malformed;
    return hello_verdict::malformed;
  }
  if (peer.cluster != self_.cluster) {
    ++counts_.wrong_cluster;
    return hello_verdict::wrong_cluster;
  }
  const hello_verdict verdict = meet(peer, now, out);
  const auto ask_in = [&] {
    send_bare(peer, msg::join{self_.cluster, version_major, version_minor}, out);
  };
  if (dialed.empty()) {
    // Whoever dials this node has it from an earlier start of it, and is a way in, too: all of its
    // seeds may be gone for good.
    if (verdict == hello_verdict::accepted && state_ == self_state::joining) {
      seeds_.came(peer.node);
      ask_in();
    }
    return verdict;
  }
  if (verdict == hello_verdict::itself) {
    seeds_.is_self(dialed);
    if (state_ == self_state::joining && seeds_.only_self())
      become_joined("the first of its cluster", now, out);
  } else if (verdict == hello_verdict::accepted) {
    seeds_.met(dialed, peer.node);
    if (state_ == self_state::joining && seeds_.contains(dialed))
      ask_in();
    else if (state_ == self_state::joined)
      send_to(peer, msg::offer{table_.digest()}, out);
  }
  return verdict;
}

hello_verdict membership::meet_own_id(const peer_identity& peer, time_point now, effects& out) {
  if (peer.boot_epoch > self_.boot_epoch) {
    table_.set_key(0, self_.boot_epoch, table_[0].inc, member_state::left, now);
    state_ = self_state::fenced;
    out.emplace_back(effect::self_changed{state_, peer.address, peer.boot_epoch});
    return hello_verdict::over;
  }
  if (peer.boot_epoch < self_.boot_epoch) {
    ++counts_.fenced;
    hint(peer.node, peer.boot_epoch, peer.address, now, out); // this node's hello is its proof
    return hello_verdict::fenced;
  }
  if (peer.instance == self_.instance)
    return hello_verdict::itself;
  out.emplace_back(effect::conflict{
      peer, "two processes run with this node's id and epoch: one has a copy of the other's data "
            "directory; stop one of them and give it a directory of its own"});
  return hello_verdict::conflict;
}

hello_verdict membership::meet(const peer_identity& peer, time_point now, effects& out) {
  if (peer.node == self_.node)
    return meet_own_id(peer, now, out);
  if (peer.name == self_.name && !planted("name_conflict_ignored")) {
    out.emplace_back(effect::conflict{peer, "another node has this node's name " +
                                                quote(self_.name) + ": give one another"});
    return hello_verdict::conflict;
  }
  const member_slot known = table_.find(peer.node);
  if (known == no_member) {
    // Its name is proof of its place when somebody had it before; otherwise it has to join first.
    if (table_.find_name(peer.name) != no_member)
      add_in_person(peer, 0, true, now, out);
    return hello_verdict::accepted;
  }
  const member_record& record = table_[known];
  if (peer.boot_epoch == record.boot_epoch) {
    if (record.superseded && !has_name_again(known, peer, now, out)) {
      ++counts_.fenced;
      return hello_verdict::superseded;
    }
    if (!record.proved) {
      // What was heard of its name and address gives way to what it says itself.
      const member_slot holder = table_.find_name(peer.name);
      const auto meta = table_.profile(known).meta;
      table_.set_profile(known, {peer.name, peer.address, meta});
      table_.set_proved(known);
      take_name(known, holder, now, out);
    }
    return hello_verdict::accepted;
  }
  if (peer.boot_epoch < record.boot_epoch && record.proved && !planted("earlier_start_accepted")) {
    ++counts_.fenced;
    return hello_verdict::fenced;
  }
  // Later than what is known; or earlier than what was only heard of, which it then outweighs.
  accept_start(known, peer, now, out);
  return hello_verdict::accepted;
}

void membership::accept_start(member_slot which, const peer_identity& peer, time_point now,
                              effects& out) {
  const bool was_live = table_[which].is_live();
  const std::uint64_t before = table_[which].boot_epoch;
  const member_slot holder = table_.find_name(peer.name);
  suspects_.stop(which);
  set_live_key(which, peer.boot_epoch, 0, now);
  table_.set_proved(which);
  table_.set_detailed(which, false);
  table_.set_profile(which, {peer.name, peer.address, {}});
  news_of(which, now);
  tell(was_live ? member_event::replaced : member_event::joined, which, peer.node, out,
       "was epoch " + std::to_string(before));
  take_name(which, holder, now, out);
}

/// It has the name now that `holder` had, if anybody else did.
void membership::take_name(member_slot which, member_slot holder, time_point now, effects& out) {
  if (holder == no_member || holder == which)
    return;
  const bool replaces = table_[holder].is_live();
  supersede(holder, now);
  if (replaces)
    tell(member_event::replaced, which, table_[holder].node, out, "had another name");
}

/// Whoever took its name is gone, and this node still runs: what was said in the other one's name
/// may have been late, or a mistake that somebody has put right.
bool membership::has_name_again(member_slot which, const peer_identity& peer, time_point now,
                                effects& out) {
  const member_slot holder = table_.find_name(peer.name);
  if (holder != no_member && table_[holder].is_live())
    return false;
  if (holder != no_member)
    supersede(holder, now);
  table_.restore(which);
  set_live_key(which, peer.boot_epoch, table_[which].inc, now);
  const auto meta = table_.profile(which).meta;
  table_.set_profile(which, {peer.name, peer.address, meta});
  news_of(which, now);
  tell(member_event::alive_again, which, {}, out);
  return true;
}

void membership::supersede(member_slot which, time_point now) {
  suspects_.stop(which);
  news_.drop(which);
  seeds_.lost(table_[which].node, now);
  table_.supersede(which, now);
}

member_slot membership::add_in_person(const peer_identity& peer, std::uint64_t inc, bool limited,
                                      time_point now, effects& out) {
  const member_slot holder = table_.find_name(peer.name);
  const bool replaces = holder != no_member && table_[holder].is_live();
  const node_id before = replaces ? table_[holder].node : node_id{};
  member_record record{.node = peer.node, .boot_epoch = peer.boot_epoch, .inc = inc};
  record.proved = true;
  const member_slot at = add(record, {peer.name, peer.address, {}}, limited, now);
  if (at == no_member)
    return at;
  if (holder != no_member && !table_.is_free(holder) && holder != at)
    supersede(holder, now);
  tell(replaces ? member_event::replaced : member_event::joined, at, before, out);
  return at;
}

// -- frames -------------------------------------------------------------------

void membership::receive(const peer_identity& peer, std::span<const std::byte> bytes,
                         time_point now, effects& out) {
  if (is_over() || state_ == self_state::idle)
    return;
  notice_pause(now);
  const auto frame = decode_membership(bytes);
  if (!frame) {
    ++counts_.malformed;
    return penalize(peer.node, now, out);
  }
  if (frame->header.cluster != cluster_) {
    ++counts_.wrong_cluster;
    if (std::holds_alternative<msg::join>(frame->message))
      refuse(peer, membership_refusal::wrong_cluster, out);
    return;
  }
  if (frame->header.sender != peer.node || frame->header.boot_epoch != peer.boot_epoch) {
    ++counts_.wrong_sender;
    return penalize(peer.node, now, out);
  }
  switch (meet(peer, now, out)) {
  case hello_verdict::accepted:
    break;
  case hello_verdict::fenced:
    return refuse(peer, membership_refusal::fenced, out);
  case hello_verdict::superseded:
    return refuse(peer, membership_refusal::conflict, out);
  default:
    return;
  }
  if (state_ == self_state::joined)
    handle(peer, *frame, now, out);
  else
    handle_outside(peer, *frame, now, out);
}

void membership::handle(const peer_identity& peer, const membership_frame& frame, time_point now,
                        effects& out) {
  if (const auto* refused = std::get_if<msg::refused>(&frame.message))
    return on_refused(peer.node, owned(*refused), now, out);
  if (std::holds_alternative<msg::join>(frame.message))
    return on_join(peer, frame, now, out);
  if (const auto* leaving = std::get_if<msg::leave>(&frame.message)) {
    send_to(peer, msg::ack{leaving->seq}, out);
    const member_slot who = table_.find(peer.node);
    if (who != no_member && table_[who].state != member_state::left && !planted("goodbye_ignored"))
      set_gone(who, std::max(frame.header.inc, table_[who].inc), member_state::left, {}, now, out);
    return;
  }
  hear_directly(peer, frame.header.inc, now, out);
  const std::uint64_t inc = table_[0].inc;
  apply_all(peer, frame, now, out);
  const member_slot who = table_.find(peer.node);
  // Two that hold each other for dead: gossip goes to the living, so this one is told here.
  if (table_[0].inc > inc && who != no_member && !table_[who].is_live())
    send_to(peer, msg::gossip{}, out, who);
  // Whoever is thought to be gone is told so, and can refute.
  const bool accused = who != no_member && table_[who].state != member_state::alive;
  std::visit(overloaded{[&](const msg::ping& what) {
                          if (what.target == self_.node)
                            send_to(peer, msg::ack{what.seq}, out, accused ? who : no_member);
                        },
                        [&](const msg::ack& what) { on_ack(peer.node, what.seq, now, out); },
                        [&](const msg::nack& what) { on_nack(peer.node, what.seq); },
                        [&](const msg::ping_request& what) {
                          on_ping_request(peer, what.seq, what.target, now, out);
                        },
                        [&](const msg::offer& what) { on_offer(peer, what.digest, now, out); },
                        [&](const msg::same&) { agreed_with(peer, now); },
                        [&](const msg::table& what) {
                          on_table_end(peer, what.part + 1 == what.parts, what.wanted, now, out);
                        },
                        [&](const msg::join_ok& what) {
                          on_table_end(peer, what.part + 1 == what.parts, false, now, out);
                        },
                        [](const auto&) {}},
             frame.message);
}

void membership::handle_outside(const peer_identity& peer, const membership_frame& frame,
                                time_point now, effects& out) {
  if (const auto* ping = std::get_if<msg::ping>(&frame.message)) {
    if (ping->target == self_.node)
      send_bare(peer, msg::ack{ping->seq}, out);
    return;
  }
  if (state_ == self_state::leaving) {
    if (const auto* ack = std::get_if<msg::ack>(&frame.message))
      on_ack(peer.node, ack->seq, now, out);
    return;
  }
  if (const auto* refused = std::get_if<msg::refused>(&frame.message))
    return on_refused(peer.node, owned(*refused), now, out);
  if (std::holds_alternative<msg::join>(frame.message))
    return on_join(peer, frame, now, out);
  const auto* in = std::get_if<msg::join_ok>(&frame.message);
  if (in == nullptr || !seeds_.asked(peer.node))
    return;
  hear_directly(peer, frame.header.inc, now, out);
  apply_all(peer, frame, now, out);
  if (in->part + 1 == in->parts) {
    become_joined("through " + quote(peer.name), now, out);
    seeds_.agreed(peer.node);
  }
}

// -- joining ------------------------------------------------------------------

void membership::on_join(const peer_identity& peer, const membership_frame& frame, time_point now,
                         effects& out) {
  const auto& wish = std::get<msg::join>(frame.message);
  if (wish.cluster != self_.cluster) {
    ++counts_.wrong_cluster;
    return refuse(peer, membership_refusal::wrong_cluster, out);
  }
  if (wish.version_major != version_major)
    return refuse(peer, membership_refusal::version, out);
  std::span<const std::byte> meta;
  for (const auto& one : frame.updates)
    if (one.node == peer.node)
      meta = one.profile.meta;
  member_slot who = table_.find(peer.node);
  if (who == no_member) {
    const auto full = counts_.table_full;
    who = add_in_person(peer, frame.header.inc, true, now, out);
    if (counts_.table_full > full)
      refuse(peer, membership_refusal::full, out);
    if (who == no_member)
      return; // it asks again, after a pause
  } else {
    hear_directly(peer, frame.header.inc, now, out);
  }
  set_details(who, peer.address, meta, out);
  news_of(who, now);
  send_table(who, table_kind::join_ok, now, out);
  // Somebody to be in a cluster with: two seeds that wait for each other end their wait.
  if (state_ == self_state::joining)
    become_joined("with " + quote(peer.name), now, out);
}

void membership::on_refused(node_id by, const membership_refused& what, time_point now,
                            effects& out) {
  if (is_over())
    return;
  if (now >= next_refusal_told_) {
    next_refusal_told_ = now + refusal_pause;
    out.emplace_back(effect::refused{by, what.reason, what.boot_epoch,
                                     quote(what.text, membership_limits::text_bytes)});
  }
  if (what.reason == membership_refusal::fenced && what.boot_epoch > self_.boot_epoch)
    hint(self_.node, what.boot_epoch, what.address, now, out);
}

// -- tables -------------------------------------------------------------------

void membership::on_offer(const peer_identity& peer, std::uint64_t digest, time_point now,
                          effects& out) {
  const member_slot who = table_.find(peer.node);
  if (digest == table_.digest())
    send_to(peer, msg::same{}, out);
  else if (who != no_member)
    send_table(who, table_kind::wanted, now, out);
}

void membership::on_table_end(const peer_identity& peer, bool last, bool wanted, time_point now,
                              effects& out) {
  if (!last)
    return;
  seeds_.agreed(peer.node);
  const member_slot who = table_.find(peer.node);
  if (wanted && who != no_member)
    send_table(who, table_kind::answer, now, out);
}

// -- peers that misbehave ---------------------------------------------------------

void membership::penalize(node_id peer, time_point now, effects& out) {
  const member_slot who = table_.find(peer);
  if (who == no_member || who == 0)
    return;
  member_profile& one = table_.profile(who);
  if (now >= one.faults_since + fault_window) {
    one.faults_since = now;
    one.faults = 0;
  }
  if (++one.faults < max_faults || table_[who].quarantined)
    return;
  table_.set_quarantined(who, true);
  one.quarantined_until = now + quarantine_time;
  out.emplace_back(effect::misbehaving{
      peer, std::to_string(max_faults) + " faults within a minute: what it says about members is "
                                         "ignored for a minute"});
}

bool membership::is_quarantined(member_slot which, time_point now) {
  if (which == no_member || !table_[which].quarantined)
    return false;
  table_.set_quarantined(which, now < table_.profile(which).quarantined_until);
  return table_[which].quarantined;
}

} // namespace edupulse
