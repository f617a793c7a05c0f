// The path of an event, stop 2 of 5. Before: runtime/node.cpp. Next: actors/delivery.cpp,
// and actors/outbox.cpp for subscriptions on other nodes.

#include "actors/router.hpp"
#include "schemas/hash.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

router::router(settings how) : how_(std::move(how)), stuck_(how_.stuck), kept_(how_.budget) {}

router::slot* router::live(std::uint32_t which) {
  return which < slots_.size() ? slots_[which].get() : nullptr;
}

void router::touch(std::uint32_t which) {
  auto& what = *slots_[which];
  if (!std::exchange(what.touched, true))
    touched_.push_back(which);
}

/// Everything that changed hands out what it may, and says when it wants to be called again.
void router::finish_turn(time_point now, effect_list& out) {
  if (!starts_.empty())
    start_waiting(out);
  flush_peers(now, out);
  if (groups_.has_legacy())
    share_out(now, out);
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    const auto which = touched_[i];
    auto* what = live(which);
    if (what == nullptr)
      continue;
    what->touched = false;
    what->owed->dispatch(now, out);
    const auto wake = what->owed->deadline();
    if (wake != what->wake) {
      if (what->wake)
        wakes_.erase({*what->wake, which});
      if (wake)
        wakes_.emplace(*wake, which);
      what->wake = wake;
    }
    if (what->removing) {
      finish_removal(which, out);
      share_out(now, out);
    }
  }
  touched_.clear();
  flush_peers(now, out);
  if (draining_ && !drained_said_ &&
      (fenced_ || planted("drain_forgets_peers") ? owed_here() : owed()) == 0) {
    drained_said_ = true;
    out.emplace_back(effects::drained{});
  }
}

// -- events ---------------------------------------------------------------------------------

void router::on_events(const chunk_ptr& events, time_point now, effect_list& out) {
  const auto& entries = events->entries;
  const auto size = static_cast<std::uint32_t>(entries.size());
  // Consecutive events with the same subscribers travel as one slice, whatever their topics.
  std::uint32_t begin = 0;
  const route* to = nullptr;
  for (std::uint32_t i = 0; i < size;) {
    const auto& first = *entries[i].event;
    const route* match = &table_.match(first.topic(), first.topic_hash());
    auto end = i + 1;
    while (end < size && entries[end].topic_hash == entries[i].topic_hash)
      ++end;
    book_.count_published(first.topic(), first.topic_hash(), end - i, !match->subscribers.empty());
    if (to != nullptr && match != to) {
      offer_run(events, begin, i, *to, now, out);
      begin = i;
    }
    to = match;
    i = end;
  }
  if (to != nullptr)
    offer_run(events, begin, size, *to, now, out);
  finish_turn(now, out);
}

void router::offer_run(const chunk_ptr& events, std::uint32_t begin, std::uint32_t end,
                       const route& to, time_point now, effect_list& out) {
  const auto matches = static_cast<std::uint32_t>(to.subscribers.size());
  for (auto i = begin; i < end; ++i) {
    const auto& entry = events->entries[i];
    if (entry.special && entry.event->tracked_by() != nullptr)
      out.emplace_back(effects::routed{entry.event, matches});
  }
  const auto& all = to.subscribers;
  const auto theirs = std::lower_bound(all.begin(), all.end(), subscriber_index::remote);
  auto ours = theirs;
  while (ours != all.begin() && subscriber_index::is_group(*std::prev(ours)))
    --ours;
  for (auto at = all.begin(); at != ours; ++at) {
    slots_[*at]->owed->offer(events, begin, end, now, out);
    touch(*at);
  }
  if (ours != theirs)
    offer_shared({events, begin, end, 0}, {ours, theirs}, {theirs, all.end()}, now, out);
  else if (theirs != all.end())
    peers_.offer({events, begin, end, 0}, {theirs, all.end()}, now, out);
}

void router::on_report(const batch_ptr& work, time_point now, effect_list& out) {
  if (auto* what = live(work->subscription)) {
    what->owed->on_report(work, now, out);
    touch(work->subscription);
  }
  finish_turn(now, out);
}

void router::on_completion(std::uint32_t which, std::uint64_t seq, std::uint32_t attempt,
                           outcome&& what, time_point now, effect_list& out) {
  if (auto* at = live(which)) {
    at->owed->on_completion(seq, attempt, std::move(what), now, out);
    touch(which);
  }
  finish_turn(now, out);
}

void router::on_wake(time_point now, effect_list& out) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const auto which = wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    auto& what = *slots_[which];
    what.wake.reset();
    what.owed->on_wake(now, out);
    fence_stuck(which, now, out);
    touch(which);
  }
  supervision::effects asked;
  if (const auto due = supervision_.next_deadline(); due && *due <= now)
    supervision_.on_wake(now, asked);
  follow(std::move(asked), now, out);
  for (const auto peer : peers_.overdue(now))
    give_up_peer(peer, "was believed dead and has not come back", now, out);
  peers_.on_tick(now, out);
  inquiries_.on_tick(now, out);
  finish_turn(now, out);
}

// -- dead letters --------------------------------------------------------------------------------

expected<void> router::redrive(dead_letter letter, time_point now, effect_list& out) {
  const auto which = find(letter.subscription);
  if (const auto theirs = which ? std::nullopt : peers_.find(letter.subscription)) {
    peers_.redrive(*theirs, std::move(letter), out);
    finish_turn(now, out);
    return {};
  }
  if (!which || slots_[*which]->removing)
    return fail(errc::not_found, "the dead letter belongs to subscription '" + letter.subscription +
                                     "', which is neither on this node nor on one that it reaches: "
                                     "subscribe it, or wait for its node, then redrive");
  slots_[*which]->owed->redrive(std::move(letter), now, out);
  touch(*which);
  finish_turn(now, out);
  return {};
}

void router::on_discarded(const std::string& subscription, const envelope& event, time_point now,
                          effect_list& out) {
  const auto which = find(subscription);
  if (!which) { // a peer's, or of one that is gone
    if (auto* row = book_.dead_row(event.topic(), event.topic_hash(), subscription)) {
      --row->dead;
      ++row->dropped[static_cast<std::size_t>(drop_reason::discarded)];
    }
    return;
  }
  for (const auto index : {*which, ledger::received(*which)}) {
    auto& row = book_.row_of(event.topic(), event.topic_hash(), index);
    if (row.dead == 0)
      continue;
    --row.dead;
    ++row.dropped[static_cast<std::size_t>(drop_reason::discarded)];
    break;
  }
  slots_[*which]->owed->release_key(event.key_hash(), now);
  touch(*which);
  finish_turn(now, out);
}

void router::carry_over(const std::string& subscription, const envelope& event) {
  if (const auto which = find(subscription)) {
    auto& row = book_.row_of(event.topic(), event.topic_hash(), *which);
    ++row.published;
    ++row.dead;
  }
}

// -- the end ----------------------------------------------------------------------------

void router::on_fenced(time_point now, effect_list& out) {
  fenced_ = true;
  finish_turn(now, out);
}

void router::drain(time_point now, effect_list& out) {
  draining_ = true;
  drained_said_ = false;
  finish_turn(now, out);
}

void router::stop(time_point now, effect_list& out) {
  stopped_ = true;
  for (std::uint32_t which = 0; which < slots_.size(); ++which) {
    auto* what = live(which);
    if (what != nullptr && !what->removing)
      end_subscription(which, drop_reason::stopped, now, out);
  }
  groups_.stop(out);
  finish_turn(now, out);
}

// -- reading ----------------------------------------------------------------------------

std::optional<time_point> router::next_deadline() const {
  auto next = supervision_.next_deadline();
  if (!wakes_.empty() && (!next || wakes_.begin()->first < *next))
    next = wakes_.begin()->first;
  for (const auto& due : {peers_.next_deadline(), inquiries_.next_deadline()})
    if (due && (!next || *due < *next))
      next = due;
  return next;
}

std::size_t router::owed() const { return peers_.owed() + groups_.kept() + owed_here(); }

std::size_t router::owed_here() const {
  std::size_t sum = 0;
  for (const auto& what : slots_)
    if (what)
      sum += what->owed->owed();
  return sum;
}

std::size_t router::count_matching(std::string_view topic) {
  return table_.match(topic, text_hash(topic)).subscribers.size();
}

const subscription_options& router::options(std::uint32_t which) const {
  return slots_[which]->owed->about().options;
}

std::string router::state_of(const slot& what) const {
  if (what.removing)
    return "ending";
  switch (supervision_.state(what.scope)) {
  case supervision::scope_state::quarantined:
    return "quarantined";
  case supervision::scope_state::backing_off:
    return "backing_off";
  default:
    break;
  }
  if (what.owed->paused())
    return "paused";
  if (what.owed->breaker_is_open())
    return "unavailable";
  return what.owed->is_stalled() ? "stalled" : "running";
}

std::vector<subscription_status> router::status() const {
  std::vector<subscription_status> all;
  for (const auto& what : slots_) {
    if (!what)
      continue;
    std::uint64_t restarts = 0;
    for (const auto& one : what->removing ? std::vector<lane>() : what->lanes)
      restarts += supervision_.status(one.child).restarts;
    all.push_back({what->owed->about().name, what->filter.text(),
                   what->own_scope ? std::string() : supervision_.name(what->scope),
                   state_of(*what), what->owed->owed(), what->owed->in_flight(), restarts,
                   what->owed->about().options.group, std::string(what->owed->why_unavailable())});
  }
  return all;
}

std::optional<std::int64_t> router::oldest_ms(std::uint32_t subscription) const {
  const bool known = subscription < slots_.size() && slots_[subscription];
  return known ? slots_[subscription]->owed->oldest_ms() : std::nullopt;
}

void router::check() const {
  for (const auto& what : slots_)
    if (what)
      what->owed->check();
  supervision_.check();
  peers_.check();
  groups_.check();
}

} // namespace edupulse
