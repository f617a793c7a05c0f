// The path of an event, stop 3 of 5, to a subscription on another node. Before: actors/router.cpp.
// Next: actors/delivery.cpp over there.

#include "actors/outbox.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cassert>
#include <map>

namespace edupulse {

namespace {

std::size_t bytes_of(const slice& what) noexcept {
  std::size_t sum = 0;
  for (auto i = what.begin; i < what.end; ++i)
    sum += what.events->entries[i].footprint;
  return sum;
}

/// What a run adds to the head of its frame: see schemas/link.capnp.
constexpr std::size_t head_bytes(std::size_t targets) noexcept { return 32 + 24 * targets; }

/// Events that expire or travel at another level than those around them are runs of their own.
bool is_one_run(const chunk_entry& one, const chunk_entry& next) noexcept {
  // The envelopes themselves may be far away.
  if ((!one.special && !next.special) || planted("expiry_of_neighbour"))
    return true;
  const auto stays = [](const chunk_entry& what) {
    return what.event->expires_at() == time_point::max();
  };
  return stays(one) && stays(next) && one.event->level() == next.event->level();
}

} // namespace

// -- destinations -----------------------------------------------------------------------

destination& outbox::open(destination::settings how, ledger& book, time_point now) {
  const auto index = how.index;
  const auto remote = how.remote;
  how.shared = kept_;
  all_.push_back(std::make_unique<destination>(std::move(how), book, now));
  auto& opened = *all_.back();
  opened.join(next_place_);
  by_index_[index] = by_remote_[remote] = &opened;
  return opened;
}

void outbox::close(std::uint32_t index, drop_reason why, effect_list& out) {
  auto* which = find(index);
  if (which == nullptr)
    return;
  let_fall_behind(*which);
  which->remove(why, out);
  forget(*which);
}

void outbox::give_up(std::uint32_t index, const obituary& how, effect_list& out) {
  auto* which = find(index);
  if (which == nullptr)
    return;
  let_fall_behind(*which);
  which->give_up(how, out);
  forget(*which);
}

void outbox::forget(destination& which) {
  if (find_remote(which.about().remote) == &which)
    by_remote_.erase(which.about().remote);
  by_index_.erase(which.about().index);
  std::erase_if(all_, [&](const auto& one) { return one.get() == &which; });
}

void outbox::redrive(std::uint32_t index, dead_letter&& letter, effect_list& out) {
  auto& to = *find(index);
  let_fall_behind(to);
  to.redrive(std::move(letter), out);
}

std::vector<envelope_ptr> outbox::hand_over(std::uint32_t index, effect_list& out) {
  auto* which = find(index);
  if (which == nullptr)
    return {};
  let_fall_behind(*which);
  return which->hand_over(out);
}

destination* outbox::find(std::uint32_t index) {
  const auto at = by_index_.find(index);
  return at == by_index_.end() ? nullptr : at->second;
}

destination* outbox::find_remote(std::uint32_t remote) {
  const auto at = by_remote_.find(remote);
  return at == by_remote_.end() ? nullptr : at->second;
}

std::deque<slice> outbox::unsent_of(const destination& which) const {
  std::deque<slice> unsent;
  for (const auto& one : queue_)
    if (which.in_step(one.place) &&
        std::find(one.targets.begin(), one.targets.end(), which.about().index) != one.targets.end())
      unsent.push_back(one.events);
  return unsent;
}

void outbox::let_fall_behind(destination& which) {
  if (!which.behind())
    which.fall_behind(unsent_of(which));
}

// -- events -------------------------------------------------------------------------------

void outbox::offer(const slice& what, std::span<const std::uint32_t> targets, time_point now,
                   effect_list& out) {
  const auto bytes = bytes_of(what);
  const auto kept = kept_.keep(what, bytes);
  for (; targets.size() > outgoing_run::most_targets;
       targets = targets.subspan(outgoing_run::most_targets))
    offer_some(kept, bytes, targets.first(outgoing_run::most_targets), now, out);
  offer_some(kept, bytes, targets, now, out);
}

void outbox::offer_some(const slice& what, std::size_t bytes,
                        std::span<const std::uint32_t> targets, time_point now, effect_list& out) {
  bool shared = false;
  for (const auto index : targets) {
    auto* to = find(index);
    if (to == nullptr)
      continue;
    if (!to->behind() && !to->takes_all(what.size(), bytes))
      let_fall_behind(*to);
    shared = to->offer(what, bytes, now, out) || shared;
  }
  if (shared) {
    queue_.push_back({what, {targets.begin(), targets.end()}, next_place_});
    queued_bytes_ += bytes;
  }
  ++next_place_;
}

bool outbox::has_anything_to_send() const {
  return !queue_.empty() ||
         std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one->has_own_work(); });
}

std::vector<outgoing_run> outbox::next_frame(time_point now) {
  std::vector<outgoing_run> runs;
  std::size_t bytes = bounds_.frame_bytes;
  std::size_t events = bounds_.frame_events;
  // Those behind first, in turns: what they are owed is older, and their windows bound it.
  take_all_own(runs, bytes, events, now);
  ++turn_;
  take_shared(runs, bytes, events, now);
  if (runs.empty()) // all have just fallen behind, and have room for a part
    take_all_own(runs, bytes, events, now);
  return runs;
}

void outbox::take_all_own(std::vector<outgoing_run>& into, std::size_t& bytes, std::size_t& events,
                          time_point now) {
  for (std::size_t i = 0; i < all_.size() && bytes > 0 && events > 0; ++i) {
    auto& one = *all_[(turn_ + i) % all_.size()];
    if (one.behind())
      take_own(one, into, bytes, events, now);
  }
}

void outbox::take_own(destination& from, std::vector<outgoing_run>& into, std::size_t& bytes,
                      std::size_t& events, time_point now) {
  slice part;
  destination::ticket as;
  while (bytes > 0 && events > 0 &&
         from.next(static_cast<std::uint32_t>(events), bytes, part, as)) {
    const outgoing_run::target to{from.about().remote, as.dseq, as.missed};
    const auto heads = add_runs(part, {&to, 1}, now, into);
    events -= part.size();
    bytes -= std::min(bytes, bytes_of(part) + heads);
  }
  from.rejoin(next_place_);
}

void outbox::take_shared(std::vector<outgoing_run>& into, std::size_t& bytes, std::size_t& events,
                         time_point now) {
  boost::container::small_vector<outgoing_run::target, 4> targets;
  boost::container::small_vector<destination*, 4> ready;
  while (!queue_.empty() && bytes > 0 && events > 0) {
    auto& front = queue_.front();
    auto count = static_cast<std::uint32_t>(std::min<std::size_t>(events, front.events.size()));
    const auto* entries = front.events.events->entries.data() + front.events.begin;
    const auto head = head_bytes(front.targets.size()); // fewer when some are not in step
    std::size_t size = 0;
    std::size_t heads = head;
    for (std::uint32_t i = 0; i < count; ++i) {
      size += entries[i].footprint;
      heads += i == 0 || is_one_run(entries[i - 1], entries[i]) ? 0 : head;
      if (size + heads >= bytes)
        count = i + 1;
    }
    ready.clear();
    for (const auto index : front.targets) {
      auto* to = find(index);
      if (to == nullptr || !to->in_step(front.place))
        continue;
      if (to->room_for(*front.events.events, front.events.begin, front.events.begin + count) <
          count)
        let_fall_behind(*to); // its window is full: the others do not wait for it
      else
        ready.push_back(to);
    }
    const auto begin = front.events.begin;
    targets.clear();
    for (auto* to : ready) {
      const auto as = to->send(front.events.events, begin, begin + count);
      targets.push_back({to->about().remote, as.dseq, as.missed});
    }
    if (!targets.empty()) {
      heads = add_runs({front.events.events, begin, begin + count, 0},
                       {targets.data(), targets.size()}, now, into);
      events -= count;
      bytes -= std::min(bytes, size + heads);
    }
    const auto gone = ready.empty() ? front.events.size() : count;
    queued_bytes_ -= bytes_of({front.events.events, begin, begin + gone, 0});
    front.events.begin += gone;
    if (front.events.size() == 0)
      queue_.pop_front();
  }
}

/// Answers what they add to the frame's head.
std::size_t outbox::add_runs(const slice& what, std::span<const outgoing_run::target> targets,
                             time_point now, std::vector<outgoing_run>& into) const {
  const auto& entries = what.events->entries;
  const auto before = into.size();
  for (auto begin = what.begin; begin < what.end;) {
    const auto& event = *entries[begin].event;
    auto end = begin + 1;
    while (end < what.end && is_one_run(entries[end - 1], entries[end]))
      ++end;
    auto& run = into.emplace_back();
    run.events = {what.events, begin, end, 0};
    run.targets.assign(targets.begin(), targets.end());
    run.level = event.level();
    for (auto& to : run.targets) {
      to.dseq += begin - what.begin;
      to.missed = begin == what.begin ? to.missed : 0;
    }
    // One that is over already is sent all the same: the peer concludes it.
    if (event.expires_at() != time_point::max() && !planted("expiry_lost_on_the_way"))
      run.expires_in = std::max<duration>(event.expires_at() - now, duration(1));
    begin = end;
  }
  return (into.size() - before) * head_bytes(targets.size());
}

// -- the peer -------------------------------------------------------------------------------

expected<void> outbox::resume(std::span<const expectation> known) {
  // Thousands of subscriptions, and the peer may name as many: not each against each.
  std::map<std::uint32_t, std::uint64_t> expected_by;
  for (const auto& [remote, next] : known)
    expected_by.try_emplace(remote, next);
  for (auto& one : all_) {
    if (!one->may_send())
      continue; // its number is of the peer's earlier start, and may be another's now
    const auto at = expected_by.find(one->about().remote);
    if (auto good = one->resume(at == expected_by.end() ? 1 : at->second); !good)
      return good;
    if (one->has_own_work())
      let_fall_behind(*one); // what the peer has not seen goes before what is new
  }
  return {};
}

void outbox::restart() {
  for (auto& one : all_) {
    let_fall_behind(*one);
    one->restart();
  }
  by_remote_.clear();
  queue_.clear();
  queued_bytes_ = 0;
}

void outbox::rebind(std::uint32_t index, std::uint32_t remote, std::size_t window_events,
                    std::size_t window_bytes) {
  auto* which = find(index);
  if (which == nullptr)
    return;
  which->rebind(remote, window_events, window_bytes);
  which->rejoin(next_place_);
  by_remote_[remote] = which;
}

// -- time and reading -------------------------------------------------------------------------

void outbox::on_check(time_point now, effect_list& out) {
  for (auto& one : all_)
    one->on_check(now, out);
}

std::size_t outbox::owed() const {
  std::size_t sum = 0;
  for (const auto& one : all_)
    sum += one->owed();
  return sum;
}

void outbox::check() const {
  for (const auto& one : all_) {
    std::size_t unsent = 0;
    for (const auto& part : unsent_of(*one))
      unsent += part.size();
    one->check(unsent);
  }
}

} // namespace edupulse
