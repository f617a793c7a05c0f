#include "actors/peers.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

// -- peers come and go ------------------------------------------------------------------

expected<std::uint32_t> peers::add(std::string name, link::settings how,
                                   const std::vector<announced_subscription>& ours) {
  if (peers_.size() >= most)
    return fail(errc::refused, "this node has " + std::to_string(most) +
                                   " peers, and that is as many as it can: '" + name +
                                   "' is refused until one leaves or is given up");
  while (peers_.contains(next_peer_ % most))
    ++next_peer_;
  const auto id = next_peer_++ % most;
  auto& added = peers_.add(id);
  added.name = std::move(name);
  added.to = std::make_unique<link>(how);
  begin_start(id, added);
  for (const auto& one : ours)
    added.to->received().open(one.number, one.window_events);
  carry(added, ours, {});
  touch(id, added);
  return id;
}

/// What subscriptions of this node conclude of an earlier start is for nobody: it has forgotten the
/// numbers, and the present one uses them anew.
void peers::begin_start(std::uint32_t id, entry& of) {
  of.start = planted("start_number_reused") ? id : next_start_++;
  by_start_[of.start] = id;
}

void peers::restart(std::uint32_t id, const std::vector<announced_subscription>& ours,
                    time_point now, effect_list& out) {
  auto* at = peers_.find(id);
  if (at == nullptr)
    return;
  auto& one = *at;
  back(one, now, out);
  by_start_.erase(one.start);
  begin_start(id, one);
  for (auto& [number, what] : std::exchange(one.known_by_number, {}))
    one.orphans.insert_or_assign(what.name, std::move(what));
  one.orphans_until.reset();
  one.to->begin_anew();
  one.interest_sent = one.interest_seen = 0;
  for (const auto& subscription : ours)
    one.to->received().open(subscription.number, subscription.window_events);
  carry(one, ours, {});
  touch(id, one);
}

void peers::remove(std::uint32_t id, drop_reason why, effect_list& out) {
  auto* one = peers_.find(id);
  if (one == nullptr)
    return;
  for_each_known(*one, [&](const entry::known& what) { forget(*one, what, why, out); });
  std::erase(touched_, id);
  due_.erase({one->due, id});
  waiting_for_wire_ -= one->waits;
  by_start_.erase(one->start);
  peers_.erase(id);
}

void peers::forget(entry& from, const entry::known& what, drop_reason why, effect_list& out) {
  if (shared_.is_member(what.index)) // first: nothing is left to drop then
    shared_.part(what.index, from.to->owed().hand_over(what.index, out), out);
  table_.remove(what.index);
  names_.retire(what.index);
  from.to->owed().close(what.index, why, out);
  book_.retire_subscription(what.index);
}

void peers::append_subscriptions(std::vector<cluster_subscription>& to) const {
  peers_.for_each([&](std::uint32_t, const entry& one) {
    if (one.gives_up)
      return;
    for_each_known(one, [&, node = std::string_view(one.name)](const entry::known& what) {
      const auto& as = names_[what.index];
      to.push_back({what.name.substr(0, what.name.size() - node.size() - 1), std::string(node),
                    as.filter.text(), as.group});
    });
  });
}

// -- subscriptions of this node -----------------------------------------------------------

namespace {
/// In a message of interest, at most.
std::size_t bytes_of(const announced_subscription& one) {
  return 128 + one.name.size() + one.filter.text().size() + one.group.size();
}
} // namespace

void peers::carry(entry& to, std::vector<announced_subscription> added,
                  std::vector<std::uint32_t> removed) {
  auto part = added.begin();
  do {
    auto end = part;
    for (std::size_t bytes = 0; end != added.end() && bytes < announced_at_once; ++end)
      bytes += bytes_of(*end);
    to.to->carry(encode({++to.interest_sent,
                         {std::make_move_iterator(part), std::make_move_iterator(end)},
                         std::exchange(removed, {})}));
    part = end;
  } while (part != added.end());
}

void peers::announce(const announced_subscription& what) {
  peers_.for_each([&](std::uint32_t id, entry& one) {
    one.to->received().open(what.number, what.window_events);
    carry(one, {what}, {});
    touch(id, one);
  });
}

void peers::withdraw(std::uint32_t number) {
  peers_.for_each([&](std::uint32_t id, entry& one) {
    if (!one.to->received().is_open(number))
      return; // of the runtime's own topics: nobody else has heard of it
    carry(one, {}, {number});
    one.to->close(number);
    touch(id, one);
  });
}

expected<void> peers::on_interest(std::uint32_t id, entry& from, std::span<const std::byte> bytes,
                                  time_point now, effect_list& out) {
  auto news = decode_interest(bytes);
  if (!news)
    return tl::unexpected<error>(news.error());
  if (news->version != from.interest_seen + 1)
    return fail(errc::protocol, "the peer's interest jumps from " +
                                    std::to_string(from.interest_seen) + " to " +
                                    std::to_string(news->version));
  from.interest_seen = news->version;
  for (auto& one : news->added)
    if (auto good = on_added(id, from, one, now, out); !good)
      return good;
  for (const auto number : news->removed) {
    const auto gone = from.known_by_number.find(number);
    if (gone == from.known_by_number.end())
      return fail(errc::protocol, "the peer withdraws a subscription that it did not announce");
    forget(from, gone->second, drop_reason::unsubscribed, out);
    from.known_by_number.erase(gone);
  }
  keep_orphans_a_while(from, now, out);
  return {};
}

/// A node joins before its application can subscribe anything: what is not announced at first may
/// be a moment later. Members of a group leave what they were owed to the others at once.
void peers::keep_orphans_a_while(entry& of, time_point now, effect_list& out) {
  std::erase_if(of.orphans, [&](const auto& one) {
    if (!shared_.is_member(one.second.index))
      return false;
    forget(of, one.second, drop_reason::unsubscribed, out);
    return true;
  });
  if (!of.orphans.empty() && !of.orphans_until)
    of.orphans_until = now + orphans_kept;
}

void peers::forget_orphans(entry& of, time_point now, effect_list& out) {
  if (!of.orphans_until || *of.orphans_until > now)
    return;
  of.orphans_until.reset();
  for (const auto& [name, what] : std::exchange(of.orphans, {}))
    forget(of, what, drop_reason::unsubscribed, out);
}

expected<void> peers::on_added(std::uint32_t id, entry& from, announced_subscription& one,
                               time_point now, effect_list& out) {
  if (from.known_by_number.contains(one.number))
    return fail(errc::protocol, "the peer announces one subscription twice");
  if (from.next_number >= most_subscriptions)
    return fail(errc::protocol,
                "the peer has announced " + std::to_string(most_subscriptions) +
                    " subscriptions since it was first seen, and there are no numbers for more: it "
                    "has to leave and join again");
  auto name = one.name + "@" + from.name;
  std::uint32_t index = 0;
  auto old = from.orphans.find(name);
  if (old != from.orphans.end() &&
      !shared_.is_same(old->second.index, one.group, {one.filter, one.order, one.overload})) {
    forget(from, old->second, drop_reason::unsubscribed, out);
    from.orphans.erase(old);
    old = from.orphans.end();
  }
  if (old != from.orphans.end()) {
    index = old->second.index;
    from.to->owed().rebind(index, one.number, one.window_events, one.window_bytes);
    table_.remove(index);
    from.orphans.erase(old);
  } else {
    index = subscriber_index::make(id, from.next_number++);
    book_.name_subscription(index, name);
    from.to->owed().open(
        {index, one.number, name, one.overload, one.window_events, one.window_bytes}, book_, now);
  }
  if (from.gives_up)
    from.to->owed().find(index)->set_away(true, now, out);
  else if (!one.filter.of_runtime())
    enlist(from, index, one, name, out);
  names_.list(index, {name, one.filter, one.group});
  from.known_by_number.emplace(one.number, entry::known{index, std::move(name)});
  return {};
}

/// Events find it: by its filter, or through its group.
void peers::enlist(entry& from, std::uint32_t index, const announced_subscription& one,
                   const std::string& name, effect_list& out) {
  if (one.group.empty())
    table_.add(index, one.filter);
  else if (shared_.is_member(index))
    shared_.stay(index, out);
  else
    from.to->owed().find(index)->sit(
        shared_.join(one.group, index, name, {one.filter, one.order, one.overload}, out));
}

// -- events -------------------------------------------------------------------------------

void peers::offer(const slice& what, std::span<const std::uint32_t> targets, time_point now,
                  effect_list& out) {
  for (auto begin = targets.begin(); begin != targets.end();) {
    const auto id = subscriber_index::peer_of(*begin);
    const auto end = std::find_if(begin, targets.end(), [&](std::uint32_t index) {
      return subscriber_index::peer_of(index) != id;
    });
    auto& to = peers_[id];
    to.to->owed().offer(what, {begin, end}, now, out);
    touch(id, to);
    begin = end;
  }
}

void peers::acknowledge(const edupulse::effects::acknowledge& what) {
  const auto at = by_start_.find(what.start);
  if (at == by_start_.end())
    return; // it is gone, and has nobody to tell
  auto& to = peers_[at->second];
  to.to->received().concluded({what.subscription, what.first, what.count, what.how, what.why});
  touch(at->second, to);
}

void peers::tell_conclusions() {
  peers_.for_each([&](std::uint32_t id, entry& one) {
    one.to->number_acks();
    touch(id, one);
  });
}

// -- sessions and the wire ------------------------------------------------------------------

void peers::on_session(std::uint32_t id, time_point now, effect_list& out) {
  auto* at = peers_.find(id);
  if (at == nullptr)
    return; // given up meanwhile: it has to be added again
  auto& one = *at;
  back(one, now, out);
  one.to->on_session(now, one.io);
  touch(id, one);
}

void peers::on_session_lost(std::uint32_t id, time_point now) {
  auto* one = peers_.find(id);
  if (one == nullptr)
    return;
  one->to->on_session_lost(now);
  touch(id, *one);
}

expected<void> peers::on_control(std::uint32_t id, peer_control&& what, time_point now,
                                 effect_list& out) {
  auto* at = peers_.find(id);
  if (at == nullptr)
    return {};
  auto& one = *at;
  touch(id, one);
  if (const auto* resume = std::get_if<link_resume>(&what))
    return one.to->on_resume(*resume, now, one.io);
  if (const auto* taken = std::get_if<link_taken>(&what))
    return one.to->on_taken(*taken, now);
  link::effects io;
  auto good = one.to->on_numbered(std::move(std::get<link_numbered>(what)), now, out, io);
  for (auto& asked : io) {
    if (const auto* news = std::get_if<link_effects::carried>(&asked); news != nullptr && good)
      good = on_interest(id, one, news->what, now, out);
  }
  return good;
}

expected<void> peers::on_events(std::uint32_t id, std::vector<incoming_run>&& runs) {
  auto* one = peers_.find(id);
  if (one == nullptr)
    return {};
  touch(id, *one);
  return one->to->on_events(std::move(runs), one->io);
}

void peers::on_arriving(std::uint32_t id) {
  if (auto* one = peers_.find(id)) {
    one->to->on_arriving(one->io);
    touch(id, *one);
  }
}

void peers::on_written(std::uint32_t id) {
  if (auto* one = peers_.find(id)) {
    one->to->on_written();
    if (one->waits) // else it has nothing to say
      touch(id, *one);
  }
}

// -- time and reading -------------------------------------------------------------------------

void peers::on_tick(time_point now, effect_list& out) {
  for (auto at = due_.begin(); at != due_.end() && at->first <= now; ++at) {
    auto& one = peers_[at->second];
    forget_orphans(one, now, out);
    if (const auto due = one.to->next_deadline(); due && *due <= now)
      one.to->on_tick(now, out, one.io);
    touch(at->second, one);
  }
}

void peers::touch(std::uint32_t id, entry& what) {
  if (!std::exchange(what.touched, true))
    touched_.push_back(id);
}

time_point peers::entry::earliest() const {
  auto next = time_point::max();
  for (const auto& when : {to->next_deadline(), gives_up, orphans_until})
    next = std::min(next, when.value_or(time_point::max()));
  return next;
}

void peers::note_deadline(std::uint32_t id, entry& of) {
  waiting_for_wire_ -= of.waits;
  of.waits = of.to->waits_for_wire();
  waiting_for_wire_ += of.waits;
  const auto due = of.earliest();
  if (due == of.due)
    return;
  auto noted = due_.extract({of.due, id});
  of.due = due;
  if (due == time_point::max())
    return;
  if (noted.empty())
    due_.emplace(due, id);
  else {
    noted.value().first = due;
    due_.insert(std::move(noted));
  }
}

std::optional<time_point> peers::next_deadline() const {
  return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

bool peers::is_up(std::uint32_t peer) const {
  const auto* at = peers_.find(peer);
  return at != nullptr && at->to->is_up();
}

std::size_t peers::owed() const {
  std::size_t sum = 0;
  peers_.for_each([&](std::uint32_t, const entry& one) { sum += one.to->owed().owed(); });
  return sum;
}

void peers::check() const {
  peers_.for_each([&]([[maybe_unused]] std::uint32_t id, const entry& one) {
    one.to->check();
    assert(one.touched || (one.due == one.earliest() && one.waits == one.to->waits_for_wire()));
    assert(due_.contains({one.due, id}) == (one.due != time_point::max()));
  });
}

} // namespace edupulse
