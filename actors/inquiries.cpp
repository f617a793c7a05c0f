#include "actors/inquiries.hpp"
#include "actors/ledger.hpp"
#include "actors/peers.hpp"
#include <algorithm>

namespace edupulse {

namespace {

/// Below what a peer answers, since its clock and the wire are not ours.
constexpr duration pace = duration(std::chrono::seconds(1)) / inquiries::own_asks_per_second;

void send(std::uint32_t to, link_control&& what, effect_list& out) {
  out.emplace_back(said_to(to, link_effects::send_control{std::move(what)}));
}

/// What it takes in a frame, and a little more.
std::size_t bytes_of(const ledger_topic& what) { return 40 + what.topic.size(); }
std::size_t bytes_of(const ledger_line& what) {
  return 104 + 8 * drop_reasons + what.topic.size() + what.subscription.size();
}

/// Moves from `from`, beginning with `at`, while there is room.
template <class T>
void move_some(std::vector<T>& from, std::size_t& at, std::size_t& room, std::vector<T>& to) {
  for (; at < from.size() && bytes_of(from[at]) <= room; ++at) {
    room -= bytes_of(from[at]);
    to.push_back(std::move(from[at]));
  }
}

template <class T> void append(std::vector<T>& to, std::vector<T>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

} // namespace

// -- asking -----------------------------------------------------------------------------

expected<void> inquiries::begin(std::uint64_t query, node_ledger own, const std::vector<who>& peers,
                                time_point deadline, time_point now, effect_list& out) {
  if (queries_.size() >= most)
    return fail(errc::refused, std::to_string(most) + " questions for the ledgers of the cluster "
                                                      "are open: wait for one of them");
  auto& begun = queries_[query];
  begun.deadline = deadline;
  begun.told.push_back(std::move(own));
  for (const auto& one : peers)
    if (one.connected)
      begun.missing.insert(one.id);
    else
      begun.silent.push_back(one.name);
  for (const auto& one : peers) {
    if (!one.connected)
      continue;
    auto& with = talks_[one.id];
    with.name = one.name;
    with.waiting.insert(query);
    if (with.asked == 0)
      ask_next(one.id, with, now, out);
  }
  finish_if_complete(query, out);
  return {};
}

/// All that wait are asked for at once.
void inquiries::ask_next(std::uint32_t whom, talk& with, time_point now, effect_list& out) {
  with.asked = 0;
  with.ask_at.reset();
  if (with.waiting.empty())
    return;
  if (!with.asks.allow(now)) {
    with.ask_at = now + pace;
    return;
  }
  with.asked = next_id_++;
  with.part = 0;
  with.heard = {};
  with.askers = std::exchange(with.waiting, {});
  send(whom, link_ask{with.asked, link_ask::ledger, 0}, out);
}

expected<void> inquiries::on_answer(std::uint32_t from, link_answer&& what, time_point now,
                                    effect_list& out) {
  const auto at = talks_.find(from);
  if (at == talks_.end() || what.id != at->second.asked || what.id == 0) {
    out.emplace_back(effects::unknown_answer{from}); // too late: nobody waits for it
    return {};
  }
  auto& with = at->second;
  if (what.part != with.part)
    return fail(errc::protocol, "the peer answers with part " + std::to_string(what.part) +
                                    " when " + std::to_string(with.part) + " was asked for");
  append(with.heard.topics, std::move(what.lines.topics));
  append(with.heard.lines, std::move(what.lines.lines));
  // Beyond its rows a ledger has one shared line for topics, and two for subscriptions.
  if (with.heard.topics.size() > ledger::max_topics + 1 ||
      with.heard.lines.size() > ledger::max_rows + 2)
    return fail(errc::protocol, "the peer's ledger is longer than ledgers are");
  if (!what.last) {
    send(from, link_ask{with.asked, link_ask::ledger, ++with.part}, out);
    return {};
  }
  answered(from, with, out);
  ask_next(from, with, now, out);
  return {};
}

void inquiries::answered(std::uint32_t from, talk& with, effect_list& out) {
  for (const auto which : std::exchange(with.askers, {})) {
    auto& of = queries_.at(which);
    of.told.push_back({with.name, with.heard});
    of.missing.erase(from);
    finish_if_complete(which, out);
  }
  with.heard = {};
}

void inquiries::on_lost(std::uint32_t which, effect_list& out) {
  const auto at = talks_.find(which);
  if (at == talks_.end())
    return;
  auto left = std::move(at->second);
  talks_.erase(at);
  left.askers.merge(left.waiting);
  for (const auto open : left.askers) {
    auto& of = queries_.at(open);
    of.missing.erase(which);
    of.silent.push_back(left.name);
    finish_if_complete(open, out);
  }
}

void inquiries::finish_if_complete(std::uint64_t which, effect_list& out) {
  if (queries_.at(which).missing.empty())
    finish(which, out);
}

void inquiries::finish(std::uint64_t which, effect_list& out) {
  auto done = std::move(queries_.at(which));
  queries_.erase(which);
  for (const auto peer : done.missing) {
    auto& with = talks_.at(peer);
    done.silent.push_back(with.name);
    with.askers.erase(which);
    with.waiting.erase(which);
  }
  out.emplace_back(effects::ledgers{which, std::move(done.told), std::move(done.silent)});
}

// -- answering ----------------------------------------------------------------------------

bool inquiries::may_ask(std::uint32_t from, const link_ask& what, time_point now,
                        effect_list& out) {
  auto& with = talks_[from];
  with.told.reset();
  if (what.about == link_ask::ledger && with.allowed.allow(now))
    return true;
  out.emplace_back(effects::unanswered_ask{from});
  return false;
}

/// Nothing when it is another part than the next one: each is told once.
void inquiries::tell_part(std::uint32_t from, const link_ask& what, effect_list& out) {
  const auto at = talks_.find(from);
  if (at == talks_.end() || !at->second.told || at->second.told->id != what.id ||
      at->second.told->part != what.part)
    return;
  auto& told = *at->second.told;
  link_answer part{what.id, what.part, false, {}};
  auto room = part_bytes;
  move_some(told.lines.topics, told.topic, room, part.lines.topics);
  move_some(told.lines.lines, told.line, room, part.lines.lines);
  ++told.part;
  part.last = told.topic == told.lines.topics.size() && told.line == told.lines.lines.size();
  if (part.last)
    at->second.told.reset();
  send(from, std::move(part), out);
}

// -- time -----------------------------------------------------------------------------------

void inquiries::on_tick(time_point now, effect_list& out) {
  std::vector<std::uint64_t> over;
  for (const auto& [which, one] : queries_)
    if (one.deadline <= now)
      over.push_back(which);
  for (const auto which : over)
    finish(which, out);
  for (auto& [peer, with] : talks_) {
    const bool given_up = with.asked != 0 && with.askers.empty(); // what still comes is too late
    if (given_up || (with.ask_at && *with.ask_at <= now))
      ask_next(peer, with, now, out);
  }
}

std::optional<time_point> inquiries::next_deadline() const {
  std::optional<time_point> next;
  const auto consider = [&](time_point when) { next = std::min(next.value_or(when), when); };
  for (const auto& [which, one] : queries_)
    consider(one.deadline);
  for (const auto& [peer, with] : talks_)
    if (with.ask_at)
      consider(*with.ask_at);
  return next;
}

} // namespace edupulse
