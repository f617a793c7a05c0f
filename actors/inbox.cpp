#include "actors/inbox.hpp"
#include <algorithm>

namespace edupulse {

inbox::inbox(limits bounds, std::function<void()> ring) : bounds_(bounds), ring_(std::move(ring)) {}

// -- publishers -------------------------------------------------------------------------

expected<void> inbox::admit(envelope_ptr event, duration patience) {
  std::unique_lock guard(mutex_);
  if (closed_ || !has_space() || !gates_.empty()) {
    auto answer = verdict(*event);
    if (!answer && answer.error().code == errc::back_pressure && patience > duration::zero()) {
      ++waiting_publishers_;
      room_.wait_for(guard, patience, [&] {
        answer = verdict(*event);
        return answer || answer.error().code != errc::back_pressure;
      });
      --waiting_publishers_;
    }
    if (!answer)
      return answer;
  }
  append(std::move(event));
  wake(guard);
  return {};
}

expected<void> inbox::has_room(const envelope& event) {
  std::lock_guard guard(mutex_);
  if (!closed_ && has_space() && gates_.empty())
    return {};
  return verdict(event);
}

void inbox::commit(std::vector<envelope_ptr>&& events) {
  std::unique_lock guard(mutex_);
  for (auto& event : events)
    append(std::move(event));
  events.clear();
  wake(guard);
}

expected<void> inbox::verdict(const envelope& event) const {
  if (closed_)
    return tl::unexpected<error>(*closed_);
  if (!has_space())
    return fail(errc::back_pressure, "the router's inbox is full: publish slower, or again later");
  if (const auto* who = held_by(event)) {
    const bool is_elsewhere = who->name.find('@') != std::string::npos;
    return fail(errc::back_pressure,
                "subscription '" + who->name + "' is behind and its backlog" +
                    (is_elsewhere ? ", or what is kept for its node (cluster.peer_budget)," : "") +
                    " is full: publish again later, or give it an overload policy that drops");
  }
  return {};
}

const inbox::gate* inbox::held_by(const envelope& event) const {
  if (event.level() == delivery_level::best_effort)
    return nullptr; // never waits: what does not fit is dropped and counted
  const auto at = std::find_if(gates_.begin(), gates_.end(),
                               [&](const gate& one) { return one.filter.matches(event.topic()); });
  return at == gates_.end() ? nullptr : &*at;
}

void inbox::append(envelope_ptr&& event) {
  if (!filling_) {
    filling_ = std::make_shared<chunk>();
    filling_->entries.reserve(last_chunk_);
  }
  filling_->entries.push_back(make_entry(std::move(event)));
  ++events_;
  bytes_ += filling_->entries.back().footprint;
  if (filling_->entries.size() == max_batch)
    filled_.push_back(std::exchange(filling_, nullptr));
}

/// Unlocks, and rings when the router was asleep.
void inbox::wake(std::unique_lock<std::mutex>& guard) {
  const bool asleep = std::exchange(idle_, false);
  guard.unlock();
  if (asleep)
    ring_();
}

// -- handlers ---------------------------------------------------------------------------

void inbox::report(batch_ptr work) {
  std::unique_lock guard(mutex_);
  reports_.push_back(std::move(work));
  wake(guard);
}

void inbox::complete(completion what) {
  std::unique_lock guard(mutex_);
  completions_.push_back(std::move(what));
  wake(guard);
}

void inbox::complete(std::vector<completion>&& all) {
  std::unique_lock guard(mutex_);
  for (auto& one : all)
    completions_.push_back(std::move(one));
  wake(guard);
}

// -- the wire -----------------------------------------------------------------------------

void inbox::leave(peer_input what) {
  std::unique_lock guard(mutex_);
  peers_.push_back(std::move(what));
  wake(guard);
}

void inbox::leave_written(std::uint64_t session) {
  std::unique_lock guard(mutex_);
  peers_.emplace_back(peer_inputs::written{session});
  if (waits_for_wire_)
    wake(guard);
}

// -- router -----------------------------------------------------------------------------

void inbox::take(contents& into, bool sleepy) {
  into.clear();
  std::unique_lock guard(mutex_);
  if (events_ == 0 && reports_.empty() && completions_.empty() && peers_.empty()) {
    idle_ = idle_ || sleepy;
    return;
  }
  into.events.swap(filled_);
  if (filling_) {
    last_chunk_ = filling_->entries.size();
    into.events.push_back(std::exchange(filling_, nullptr));
  } else if (!into.events.empty()) {
    last_chunk_ = max_batch;
  }
  into.reports.swap(reports_);
  into.completions.swap(completions_);
  into.peers.swap(peers_);
  const bool made_room = events_ > 0;
  events_ = 0;
  bytes_ = 0;
  const bool is_awaited = made_room && waiting_publishers_ > 0;
  guard.unlock(); // who is woken must not run into the lock
  if (is_awaited)
    room_.notify_all();
}

void inbox::ring() {
  std::unique_lock guard(mutex_);
  wake(guard);
}

void inbox::close_gate(std::uint32_t subscription, std::string_view name,
                       const topic_filter& filter) {
  std::lock_guard guard(mutex_);
  gates_.push_back({subscription, std::string(name), filter});
}

void inbox::open_gate(std::uint32_t subscription) {
  {
    std::lock_guard guard(mutex_);
    std::erase_if(gates_, [&](const gate& one) { return one.subscription == subscription; });
  }
  room_.notify_all();
}

void inbox::close(error why) {
  std::lock_guard guard(mutex_);
  if (!closed_)
    closed_ = std::move(why);
  room_.notify_all();
}

} // namespace edupulse
