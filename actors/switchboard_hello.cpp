// The hello of a connection: who is there, may it in, and which session is it part of.

#include "actors/switchboard.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

namespace asks = switchboard_effects;

namespace {

peer_identity identity_of(const hello_message& what) {
  return {what.node, what.boot_epoch, what.instance, what.name, what.cluster, what.address};
}

/// What both have a word for; anything else is `other`.
constexpr std::pair<membership_refusal, refusal_reason> both_words[] = {
    {membership_refusal::wrong_cluster, refusal_reason::wrong_cluster},
    {membership_refusal::version, refusal_reason::version},
    {membership_refusal::fenced, refusal_reason::fenced},
    {membership_refusal::conflict, refusal_reason::conflict},
    {membership_refusal::full, refusal_reason::full},
};

refusal_reason reason_of(membership_refusal why) {
  for (const auto& [theirs, ours] : both_words)
    if (theirs == why)
      return ours;
  return refusal_reason::other;
}

membership_refusal reason_of(refusal_reason why) {
  for (const auto& [theirs, ours] : both_words)
    if (ours == why)
      return theirs;
  return membership_refusal::other;
}

} // namespace

hello_message hello_of(const peer_identity& who, std::uint64_t session, bool bulk) {
  hello_message what;
  what.version_major = switchboard::version_major;
  what.version_minor = switchboard::version_minor;
  what.features = switchboard::features;
  what.cluster = who.cluster;
  what.node = who.node;
  what.boot_epoch = who.boot_epoch;
  what.instance = who.instance;
  what.name = who.name;
  what.address = who.address;
  what.session = session;
  what.bulk = bulk;
  return what;
}

hello_message switchboard::own_hello(std::uint64_t session, bool bulk) const {
  auto what = hello_of(members_.self(), session, bulk);
  what.settings = how_.agreed;
  what.max_event_bytes = how_.max_event_bytes;
  return what;
}

void switchboard::greet(connection_id which, const connection& what, effects& out) {
  frame_bytes bytes;
  append_frame(bytes, own_hello(what.session, what.bulk));
  out.emplace_back(asks::write{which, std::move(bytes)});
}

bool switchboard::on_first_frame(connection_id which, frame_kind kind,
                                 std::span<const std::byte> body, time_point now, effects& out) {
  if (kind == frame_kind::refusal && connections_.at(which).dialed) {
    const auto what = decode_refusal(body);
    if (!what)
      return break_off(which, what.error().text, now, out);
    on_refusal(which, *what, now, out);
    return false;
  }
  if (kind != frame_kind::hello)
    return break_off(which, "it did not begin with a hello", now, out);
  auto what = decode_hello(body);
  if (!what)
    return break_off(which, what.error().text, now, out);
  if (auto no = judge(connections_.at(which), *what)) {
    refuse(which, std::move(*no), now, out);
    return false;
  }
  return what->bulk ? on_bulk_hello(which, *what, now, out)
                    : on_control_hello(which, std::move(*what), now, out);
}

/// What can be said of a hello without knowing who is a member.
std::optional<refusal_message> switchboard::judge(const connection& from,
                                                  const hello_message& what) const {
  const auto& self = members_.self();
  if (what.cluster != self.cluster)
    return refusal_message{refusal_reason::wrong_cluster,
                           "this node is not of cluster " + quote(what.cluster)};
  if (what.version_major != version_major)
    return refusal_message{refusal_reason::version,
                           "this node speaks version " + std::to_string(version_major) +
                               " of the protocol, and not " + std::to_string(what.version_major)};
  if (from.certificate) {
    if (*from.certificate != std::pair(what.cluster, what.name))
      return refusal_message{refusal_reason::name,
                             "the certificate is not that of a node named " + quote(what.name)};
    if (auto no = judge_claim(what))
      return no;
  }
  for (const auto& [name, value] : how_.agreed)
    for (const auto& [theirs, their_value] : what.settings)
      if (name == theirs && value != their_value && !planted("settings_mismatch_accepted"))
        return refusal_message{refusal_reason::settings,
                               "the setting `" + name + "` is " + quote(value) + " here and " +
                                   quote(their_value) + " there: it must be the same"};
  if (what.max_event_bytes < how_.max_event_bytes)
    return refusal_message{refusal_reason::settings,
                           "`max_event_bytes` is " + std::to_string(how_.max_event_bytes) +
                               " here, and " + std::to_string(what.max_event_bytes) +
                               " there: it must not be less"};
  if (what.session == 0)
    return refusal_message{refusal_reason::other, "a session needs a number other than 0"};
  // Frames and orders of a session are told apart by its number alone.
  if (const auto at = numbers_.find(what.session);
      !what.bulk && at != numbers_.end() && at->second != what.node)
    return refusal_message{refusal_reason::other, "the session's number is another session's"};
  if (from.dialed && (what.session != from.session || what.bulk != from.bulk))
    return refusal_message{refusal_reason::other, "the answer is to another hello"};
  return std::nullopt;
}

/// Certificates speak of names. An id belongs to the name under which it was met first, so that no
/// member can pass for a later start of another one, or of this node.
std::optional<refusal_message> switchboard::judge_claim(const hello_message& what) const {
  const auto& table = members_.table();
  const auto known = table.find(what.node);
  const bool own = what.node == members_.self().node;
  if (!own && (known == no_member || !table[known].proved))
    return std::nullopt;
  if (what.name == (own ? members_.self().name : table.profile(known).name))
    return std::nullopt;
  return refusal_message{refusal_reason::conflict,
                         "the id of " + quote(what.name) + " is that of a node of another name"};
}

/// This node has dialled one of its own addresses, and answers. The dialling end learns that here,
/// by the number of the session, which nobody else has.
bool switchboard::met_itself(connection_id which, const hello_message& what, time_point now,
                             effects& out) {
  std::optional<std::pair<connection_id, std::string>> dialed;
  connections_.for_each([&](connection_id other, const connection& one) {
    if (one.dialed && one.now == phase::greeting && one.session == what.session)
      dialed.emplace(other, one.address);
  });
  edupulse::membership::effects asked;
  if (dialed) {
    members_.on_hello(identity_of(what), dialed->second, now, asked);
    drop(dialed->first, "it leads back here", now, out);
  }
  drop(which, "it comes from here", now, out);
  follow(std::move(asked), now, out);
  return false;
}

bool switchboard::on_control_hello(connection_id which, hello_message&& what, time_point now,
                                   effects& out) {
  const auto who = identity_of(what);
  const auto dialed = connections_.at(which).dialed;
  const auto address = dialed ? connections_.at(which).address : std::string();
  edupulse::membership::effects asked;
  const auto verdict = members_.on_hello(who, address, now, asked);
  if (verdict == hello_verdict::itself && !dialed)
    return met_itself(which, what, now, out);
  if (verdict == hello_verdict::accepted) {
    const auto old = peers_.find(who.node);
    if (old != peers_.end() && old->second.session && survives(old->second, who, dialed, now)) {
      ++counts_.duplicates;
      refuse(which, {refusal_reason::duplicate, "there is a session already"}, now, out);
    } else {
      adopt(which, std::move(what), who, now, out);
    }
  } else {
    auto no = members_.refusal(who, verdict);
    if (verdict == hello_verdict::over)
      refuse(which, {refusal_reason::stopping, "this node is leaving"}, now, out);
    else
      refuse(which,
             {reason_of(no.reason), std::move(no.text), no.boot_epoch, std::move(no.address)}, now,
             out);
  }
  follow(std::move(asked), now, out);
  return connections_.contains(which);
}

/// Of two sessions with one peer; both sides come to the same answer. One that was up for a while
/// is not one of two that crossed: the peer has lost it, and comes again.
bool switchboard::survives(const peer& old, const peer_identity& who, bool new_dialed,
                           time_point now) const {
  const auto& session = *old.session;
  if (session.who.boot_epoch != who.boot_epoch || session.who.instance != who.instance)
    return false;
  if (old.session_dialed == new_dialed)
    return false;
  if (old.session_up && now - old.session_since >= how_.greet_within)
    return false;
  return old.session_dialed ==
         (members_.self().node < who.node || planted("both_keep_their_session"));
}

void switchboard::adopt(connection_id which, hello_message&& what, const peer_identity& who,
                        time_point now, effects& out) {
  auto& owner = peer_of(who.node);
  end_session(who.node, owner, "a newer session has taken its place", now, out);
  auto& one = connections_.at(which);
  forget_stranger(one);
  one.now = phase::open;
  if (one.dialed && !one.peer.is_nil() && one.peer != who.node)
    dial_ended(one.peer, one.ticket, one.session, "somebody else answers there", now, out);
  one.peer = who.node;
  one.session = what.session;
  set_deadline(which, one, now + how_.greet_within);
  owner.ticket = 0;
  owner.address = who.address;
  one.owner = &owner;
  owner.session_dialed = one.dialed;
  owner.session = peer_session{who,
                               what.session,
                               which,
                               0,
                               std::min(what.version_minor, version_minor),
                               what.features & features};
  numbers_.emplace(what.session, who.node);
  alone_.erase(who.node);
  note_try(who.node, owner);
  if (!one.dialed)
    greet(which, one, out);
  for (auto& bytes : std::exchange(owner.waiting, {}))
    send({who.node, owner.address, std::move(bytes), false}, now, out);
  if (one.dialed)
    start_dial({one.address, who.node, what.session}, out);
}

bool switchboard::on_bulk_hello(connection_id which, const hello_message& what, time_point now,
                                effects& out) {
  auto& one = connections_.at(which);
  const auto at = peers_.find(what.node);
  const auto fits = [&](const peer& owner) {
    return owner.session && owner.session->number == what.session && owner.session->bulk == 0 &&
           owner.session_dialed == one.dialed && owner.session->who == identity_of(what);
  };
  if (at == peers_.end() || !fits(at->second)) {
    refuse(which, {refusal_reason::other, "there is no such session"}, now, out);
    return false;
  }
  forget_stranger(one);
  one.now = phase::open;
  one.bulk = true;
  one.peer = what.node;
  one.session = what.session;
  one.owner = &at->second;
  at->second.session->bulk = which;
  if (one.dialed)
    bring_up_if_member(at->second, now, out);
  else
    greet(which, one, out);
  return connections_.contains(which);
}

void switchboard::refuse(connection_id which, refusal_message what, time_point now, effects& out) {
  ++counts_.refused;
  auto why = what.text;
  if (what.reason != refusal_reason::duplicate)
    out.emplace_back(
        asks::notice{false, "refused " + quote(connections_.at(which).address) + ": " + what.text});
  frame_bytes bytes;
  append_frame(bytes, what);
  out.emplace_back(asks::write{which, std::move(bytes)});
  drop(which, why, now, out);
}

void switchboard::on_refusal(connection_id which, const refusal_message& what, time_point now,
                             effects& out) {
  const auto by = connections_.at(which).peer;
  drop(which, "refused by the peer: " + quote(what.text), now, out);
  if (what.reason == refusal_reason::duplicate || what.reason == refusal_reason::stopping)
    return;
  edupulse::membership::effects asked;
  members_.on_refused(by, {reason_of(what.reason), what.text, what.boot_epoch, what.address}, now,
                      asked);
  follow(std::move(asked), now, out);
}

} // namespace edupulse
