#include "actors/switchboard.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

namespace asks = switchboard_effects;

namespace {
/// The side with the larger id leaves the first try to the other one.
constexpr auto courtesy = std::chrono::seconds(1);
/// Membership repeats what matters: what waits for a connection may be the newest only.
constexpr std::size_t waiting_max = 8;
} // namespace

switchboard::switchboard(settings how, edupulse::membership members, std::uint64_t seed)
    : how_(std::move(how)), members_(std::move(members)), chance_(seed) {}

// -- membership ---------------------------------------------------------------------------

void switchboard::join(const std::vector<std::string>& seeds, time_point now, effects& out) {
  edupulse::membership::effects asked;
  members_.join(seeds, now, asked);
  follow(std::move(asked), now, out);
}

void switchboard::leave(time_point now, effects& out) {
  edupulse::membership::effects asked;
  members_.leave(now, asked);
  follow(std::move(asked), now, out);
}

bool switchboard::is_connected(node_id who) const {
  const auto at = peers_.find(who);
  return at != peers_.end() && at->second.session_up;
}

void switchboard::follow(edupulse::membership::effects&& asked, time_point now, effects& out) {
  namespace from = membership_effects;
  for (auto& one : asked) {
    if (auto* what = std::get_if<from::send>(&one)) {
      send(*what, now, out);
    } else if (auto* to = std::get_if<from::dial>(&one)) {
      if (!is_answered(*to, now, out))
        start_dial({to->address, to->node, 0}, out);
    } else if (auto* news = std::get_if<from::changed>(&one)) {
      follow_change(*news, now, out);
      out.emplace_back(std::move(*news));
    } else if (auto* self = std::get_if<from::self_changed>(&one)) {
      const bool fenced = self->now == self_state::fenced;
      out.emplace_back(std::move(*self));
      if (fenced)
        close_all("a later start of this node was met", now, out);
    } else if (auto* other = std::get_if<from::conflict>(&one)) {
      out.emplace_back(asks::notice{true, std::move(other->text)});
    } else if (auto* no = std::get_if<from::refused>(&one)) {
      out.emplace_back(asks::notice{true, "a member does not let this node in: " + no->text});
    } else {
      const auto& bad = std::get<from::misbehaving>(one);
      out.emplace_back(asks::notice{true, to_string(bad.peer) + ": " + bad.text});
    }
  }
  want_sessions(now, out);
}

void switchboard::follow_change(const membership_effects::changed& what, time_point now,
                                effects& out) {
  if (what.what == member_event::replaced && what.by != what.member.node)
    give_up_on(what.by, "another node has its name", now, out);
  if (what.what == member_event::dead || what.what == member_event::left) {
    give_up_on(what.member.node,
               what.what == member_event::dead ? "it is believed dead" : "it has left", now, out);
    return;
  }
  auto& one = peer_of(what.member.node);
  one.address = what.member.address;
  bring_up_if_member(one, now, out);
  if (std::exchange(one.wanted, true) || one.session)
    return;
  one.failures = 0;
  one.next_try = members_.self().node < what.member.node ? now : now + courtesy;
  note_try(what.member.node, one);
}

void switchboard::give_up_on(node_id who, std::string_view why, time_point now, effects& out) {
  const auto at = peers_.find(who);
  if (at == peers_.end())
    return;
  at->second.wanted = false;
  at->second.waiting.clear();
  note_try(who, at->second);
  end_session(who, at->second, why, now, out);
}

void switchboard::send(const membership_effects::send& what, time_point now, effects& out) {
  auto& one = peer_of(what.to);
  if (one.session) {
    const bool aside = what.over_data_link && one.session->bulk != 0;
    frame_bytes bytes;
    append_frame(bytes, frame_kind::membership, what.bytes);
    out.emplace_back(
        asks::write{aside ? one.session->bulk : one.session->control, std::move(bytes)});
    return;
  }
  one.address = what.address;
  if (one.waiting.size() == waiting_max)
    one.waiting.erase(one.waiting.begin());
  one.waiting.push_back(what.bytes);
  one.next_try = std::min(one.next_try, now + how_.redial.cap);
  note_try(what.to, one);
}

// -- dialling -----------------------------------------------------------------------------

/// Whoever would answer there is connected already, and a second session would end the first: a
/// seed is met without being dialled, and a node that is hoped for has left its place to another.
bool switchboard::is_answered(const membership_effects::dial& what, time_point now, effects& out) {
  const auto at = std::find_if(peers_.begin(), peers_.end(), [&](const auto& one) {
    return one.second.session && one.second.session->who.address == what.address;
  });
  if (at == peers_.end() || at->first == what.node)
    return false;
  if (!what.node.is_nil())
    return true;
  edupulse::membership::effects asked;
  members_.on_hello(peer_identity(at->second.session->who), what.address, now, asked);
  follow(std::move(asked), now, out);
  return true;
}

/// Somebody at this address is being dialled, or has not answered this node's hello yet.
bool switchboard::is_under_way(const std::string& address) const {
  return std::any_of(dials_.begin(), dials_.end(),
                     [&](const auto& one) {
                       return one.second.address == address && one.second.session == 0;
                     }) ||
         std::any_of(urgent_.begin(), urgent_.end(), [&](const auto& due) {
           const auto& one = connections_.at(due.second);
           return one.dialed && !one.bulk && one.now != phase::open && one.address == address;
         });
}

bool switchboard::start_dial(dialing what, effects& out) {
  if (dials_.size() >= how_.dials || (what.session == 0 && is_under_way(what.address)))
    return false;
  const auto ticket = next_ticket_++;
  ++counts_.dials;
  if (!what.to.is_nil() && what.session == 0) {
    auto& one = peer_of(what.to);
    one.ticket = ticket;
    note_try(what.to, one);
  }
  out.emplace_back(asks::dial{ticket, what.address});
  dials_.emplace(ticket, std::move(what));
  return true;
}

void switchboard::on_connected(std::uint64_t ticket, connection_id which, time_point now,
                               effects& out) {
  const auto at = dials_.find(ticket);
  if (at == dials_.end())
    return out.emplace_back(asks::close{which, "nobody wants it any more"}), void();
  const auto dial = std::move(at->second);
  dials_.erase(at);
  auto& one = connections_[which];
  one.dialed = true;
  one.bulk = dial.session != 0;
  one.address = dial.address;
  one.peer = dial.to;
  one.ticket = ticket;
  one.session = one.bulk ? dial.session : chance_.next();
  set_deadline(which, one, now + how_.greet_within);
  one.now = how_.secure ? phase::securing : phase::greeting;
  if (!how_.secure)
    greet(which, one, out);
}

void switchboard::on_dial_failed(std::uint64_t ticket, std::string_view why, time_point now,
                                 effects& out) {
  const auto at = dials_.find(ticket);
  if (at == dials_.end())
    return;
  const auto dial = std::move(at->second);
  dials_.erase(at);
  ++counts_.dials_failed;
  out.emplace_back(asks::notice{false, quote(dial.address) + ": " + std::string(why)});
  dial_ended(dial.to, ticket, dial.session, why, now, out);
}

/// A dial, or the greeting after it, came to nothing.
void switchboard::dial_ended(node_id to, std::uint64_t ticket, std::uint64_t session,
                             std::string_view why, time_point now, effects& out) {
  const auto at = peers_.find(to);
  if (at == peers_.end())
    return;
  auto& one = at->second;
  if (one.session && one.session->number == session)
    return end_session(to, one, why, now, out); // its bulk connection
  if (one.ticket == ticket) {
    one.ticket = 0;
    try_later(one, now);
    note_try(to, one);
  }
}

// -- connections --------------------------------------------------------------------------

void switchboard::on_accepted(connection_id which, std::string from, time_point now, effects& out) {
  ++counts_.accepted;
  const auto others = strangers_by_address_.find(from);
  if (strangers_ >= how_.strangers ||
      (others != strangers_by_address_.end() && others->second >= how_.strangers_of_address)) {
    ++counts_.strangers_refused;
    out.emplace_back(asks::close{which, "too many that do not say who they are"});
    return;
  }
  ++strangers_;
  ++strangers_by_address_[from];
  auto& one = connections_[which];
  one.address = std::move(from);
  set_deadline(which, one, now + how_.greet_within);
  one.now = how_.secure ? phase::securing : phase::greeting;
}

void switchboard::set_deadline(connection_id which, connection& of, time_point when) {
  urgent_.erase({of.deadline, which});
  of.deadline = when;
  if (when != time_point::max())
    urgent_.emplace(when, which);
}

void switchboard::forget_stranger(const connection& what) {
  if (what.dialed || what.now == phase::open)
    return;
  --strangers_;
  const auto at = strangers_by_address_.find(what.address);
  if (--at->second == 0)
    strangers_by_address_.erase(at);
}

void switchboard::on_secured(connection_id which, std::string cluster, std::string name, time_point,
                             effects& out) {
  auto* one = connections_.find(which);
  if (one == nullptr || one->now != phase::securing)
    return;
  one->certificate.emplace(std::move(cluster), std::move(name));
  one->now = phase::greeting;
  if (one->dialed)
    greet(which, *one, out);
}

std::size_t switchboard::events_limit() const noexcept {
  return link_limits{.max_event_bytes = how_.max_event_bytes}.events_bytes();
}

void switchboard::on_bytes(connection_id which, std::span<const std::byte> bytes, time_point now,
                           effects& out) {
  auto* from = connections_.find(which);
  if (from == nullptr)
    return;
  // The connection may be dropped by what it says; its bytes are needed until the next call.
  reading_ = std::move(from->reader);
  const auto good = reading_.feed(bytes, [&](frame_kind kind, std::span<const std::byte> body) {
    if (!on_frame(which, kind, body, now, out))
      return false;
    const auto& one = connections_.at(which);
    reading_.set_limit(one.now != phase::open ? link_limits::hello_bytes
                       : one.bulk             ? events_limit()
                                              : link_limits::control_bytes);
    return true;
  });
  if (!good)
    break_off(which, good.error().text, now, out);
  if (auto* still = connections_.find(which))
    std::swap(still->reader, reading_);
}

bool switchboard::on_frame(connection_id which, frame_kind kind, std::span<const std::byte> body,
                           time_point now, effects& out) {
  auto& one = connections_.at(which);
  if (one.now == phase::securing)
    return break_off(which, "it spoke before TLS was done", now, out);
  if (one.now == phase::greeting)
    return on_first_frame(which, kind, body, now, out);
  auto& from = *one.owner;
  if (kind == frame_kind::membership) {
    edupulse::membership::effects asked;
    const auto who = from.session->who; // what follows may end the session
    members_.receive(who, body, now, asked);
    follow(std::move(asked), now, out);
    return connections_.contains(which);
  }
  if (kind != (one.bulk ? frame_kind::events : frame_kind::control))
    return break_off(which, "a frame that does not belong on this connection", now, out);
  if (!from.session_up) {
    if (one.bulk || from.session->bulk == 0 || from.is_complete())
      return break_off(which, "it spoke before the session was up", now, out);
    from.first_word.assign(body.begin(), body.end());
    bring_up_if_member(from, now, out);
    return connections_.contains(which);
  }
  out.emplace_back(asks::for_router{one.peer, one.session, kind, body});
  return true;
}

bool switchboard::break_off(connection_id which, std::string_view why, time_point now,
                            effects& out) {
  ++counts_.broken;
  if (const auto* one = connections_.find(which))
    out.emplace_back(asks::notice{true, "cut a connection with " + quote(one->address) + ": " +
                                            std::string(why)});
  drop(which, why, now, out);
  return false;
}

void switchboard::drop(connection_id which, std::string_view why, time_point now, effects& out) {
  if (!connections_.contains(which))
    return;
  out.emplace_back(asks::close{which, std::string(why)});
  on_closed(which, why, now, out);
}

void switchboard::on_closed(connection_id which, std::string_view why, time_point now,
                            effects& out) {
  const auto gone = connections_.extract(which);
  if (gone == nullptr)
    return;
  forget_stranger(*gone);
  set_deadline(which, *gone, time_point::max());
  if (gone->now == phase::open) {
    auto& owner = *gone->owner;
    if (owner.session && owner.session->number == gone->session)
      end_session(gone->peer, owner, why, now, out);
  } else if (gone->dialed) {
    dial_ended(gone->peer, gone->ticket, gone->session, why, now, out);
  }
}

// -- time ---------------------------------------------------------------------------------

void switchboard::tick(time_point now, effects& out) {
  std::vector<connection_id> late;
  for (auto at = urgent_.begin(); at != urgent_.end() && at->first <= now; ++at)
    late.push_back(at->second);
  std::sort(late.begin(), late.end());
  for (const auto which : late)
    if (connections_.contains(which)) {
      ++counts_.too_slow;
      drop(which,
           connections_.at(which).now == phase::open ? "its session was not up in time"
                                                     : "it did not say who it is in time",
           now, out);
    }
  edupulse::membership::effects asked;
  if (const auto due = members_.next_deadline(); due && *due <= now)
    members_.tick(now, asked);
  follow(std::move(asked), now, out);
  forget_peers();
}

std::optional<time_point> switchboard::next_deadline() const {
  auto next = members_.next_deadline().value_or(time_point::max());
  if (!urgent_.empty())
    next = std::min(next, urgent_.begin()->first);
  if (!tries_.empty())
    next = std::min(next, tries_.begin()->first);
  return next == time_point::max() ? std::nullopt : std::optional(next);
}

void switchboard::check() const {
  std::size_t strangers = 0;
  connections_.for_each([&]([[maybe_unused]] connection_id which, const connection& one) {
    strangers += !one.dialed && one.now != phase::open;
    assert(urgent_.contains({one.deadline, which}) == (one.deadline != time_point::max()));
    if (one.now != phase::open)
      return;
    [[maybe_unused]] const auto& owner = peers_.at(one.peer);
    assert(one.owner == &owner);
    assert(owner.session && owner.session->number == one.session);
    assert((one.bulk ? owner.session->bulk : owner.session->control) == which);
  });
  for ([[maybe_unused]] const auto& [who, one] : peers_) {
    assert(!one.session_up || (one.session && one.session->bulk != 0));
    assert(alone_.contains(who) == !one.session);
    assert(!one.session || numbers_.at(one.session->number) == who);
    assert(one.noted == (one.lacks_session() ? one.next_try : time_point::max()));
    assert(tries_.contains({one.noted, who}) == one.lacks_session());
  }
  assert(urgent_.size() <= connections_.size() && alone_.size() <= peers_.size());
  assert(strangers == strangers_);
  static_cast<void>(strangers);
  members_.check();
}

} // namespace edupulse
