// Sessions of the switchboard: up, ended, and tried again.

#include "actors/switchboard.hpp"
#include <algorithm>

namespace edupulse {

namespace asks = switchboard_effects;

namespace {
/// A session that lasted so long was a good one: the next try is a first one.
constexpr auto good_session = std::chrono::seconds(5);
} // namespace

bool switchboard::peer::is_forgettable() const noexcept {
  return !wanted && !session && ticket == 0 && waiting.empty();
}

switchboard::peer& switchboard::peer_of(node_id who) {
  const auto [at, is_new] = peers_.try_emplace(who);
  if (is_new)
    alone_.insert(who);
  return at->second;
}

void switchboard::forget_peers() {
  std::erase_if(alone_, [this](node_id who) {
    const auto at = peers_.find(who);
    const bool forgettable = at->second.is_forgettable();
    if (forgettable)
      peers_.erase(at);
    return forgettable;
  });
}

/// Of whom was no member yet when he said hello, nobody has kept in mind which start of his was
/// met: an earlier one could still take its place, and this may be the earlier one.
bool switchboard::is_met_as_member(peer& one, time_point now, effects& out) {
  const auto with = *one.session;
  edupulse::membership::effects asked;
  const auto verdict = members_.on_hello(with.who, {}, now, asked);
  follow(std::move(asked), now, out);
  if (!one.session || one.session->number != with.number || one.session_up)
    return false; // what followed has settled it
  if (verdict == hello_verdict::accepted)
    return true;
  end_session(with.who.node, one, to_string(verdict), now, out);
  return false;
}

void switchboard::bring_up_if_member(peer& one, time_point now, effects& out) {
  if (one.session_up || !one.is_complete())
    return;
  const auto member = members_.table().find(one.session->who.node);
  if (member == no_member || !members_.table()[member].is_live())
    return; // until membership says that it is one, or its time is over
  if (!is_met_as_member(one, now, out))
    return;
  const auto& with = *one.session;
  one.session_up = true;
  one.session_since = now;
  for (const auto which : {with.control, with.bulk})
    set_deadline(which, connections_.at(which), time_point::max());
  out.emplace_back(asks::session_up{with});
  if (!one.first_word.empty()) {
    asks::for_router first{
        with.who.node, with.number, frame_kind::control, {}, std::exchange(one.first_word, {})};
    first.body = first.kept;
    out.emplace_back(std::move(first));
  }
  edupulse::membership::effects asked;
  members_.link_up(one.session->who.node, now, asked);
  follow(std::move(asked), now, out);
}

void switchboard::end_session(node_id who, peer& one, std::string_view why, time_point now,
                              effects& out) {
  if (!one.session)
    return;
  const auto ended = *std::exchange(one.session, std::nullopt);
  alone_.insert(who);
  numbers_.erase(ended.number);
  const bool was_up = std::exchange(one.session_up, false);
  one.first_word.clear();
  for (const auto which : {ended.control, ended.bulk})
    drop(which, why, now, out); // finds no session any more
  std::erase_if(dials_, [&](const auto& dial) { return dial.second.session == ended.number; });
  if (was_up && now - one.session_since >= good_session)
    one.failures = 0;
  try_later(one, now);
  note_try(who, one);
  if (!was_up)
    return;
  out.emplace_back(asks::session_lost{ended, std::string(why)});
  edupulse::membership::effects asked;
  members_.link_down(who, now, asked);
  follow(std::move(asked), now, out);
}

void switchboard::cut(node_id who, std::uint64_t session, std::string_view why, time_point now,
                      effects& out) {
  const auto at = peers_.find(who);
  if (at == peers_.end() || !at->second.session || at->second.session->number != session)
    return;
  ++counts_.cut;
  out.emplace_back(asks::notice{true, "cut the session with " +
                                          quote(at->second.session->who.name) + ": " +
                                          std::string(why)});
  end_session(who, at->second, why, now, out);
}

void switchboard::close_all(std::string_view why, time_point now, effects& out) {
  for (auto& [who, one] : peers_) {
    one.wanted = false;
    note_try(who, one);
    end_session(who, one, why, now, out);
  }
  std::vector<connection_id> rest;
  connections_.for_each([&](connection_id which, const connection&) { rest.push_back(which); });
  std::sort(rest.begin(), rest.end());
  for (const auto which : rest)
    drop(which, why, now, out);
  dials_.clear();
}

// -- tried again --------------------------------------------------------------------------

/// Each live member is to have a session, and whoever is to be told something.
void switchboard::want_sessions(time_point now, effects& out) {
  std::vector<node_id> due;
  for (auto at = tries_.begin(); at != tries_.end() && at->first <= now; ++at)
    due.push_back(at->second);
  std::sort(due.begin(), due.end());
  for (const auto who : due)
    if (auto& one = peers_.at(who);
        !one.address.empty() && !start_dial({one.address, who, 0}, out)) {
      one.next_try = now + how_.redial.first;
      note_try(who, one);
    }
}

/// While thousands are met nobody looks at all of them to find the next one that is to be dialled.
void switchboard::note_try(node_id who, peer& one) {
  const auto due = one.lacks_session() ? one.next_try : time_point::max();
  if (due == one.noted)
    return;
  tries_.erase({one.noted, who});
  if (due != time_point::max())
    tries_.emplace(due, who);
  one.noted = due;
}

void switchboard::try_later(peer& one, time_point now) {
  one.waiting.clear();
  one.next_try = now + full_jitter(how_.redial, ++one.failures, chance_);
}

} // namespace edupulse
