#pragma once
// The router's inbox: where publishers, handlers and deferrals leave things for the router's
// thread. It is one of the few types that several threads touch, and the only bounded queue
// between `publish` and the router.
//
//   queue        bound                              when full
//   events       inbox_events, inbox_bytes          publish waits to its deadline, then
//   back_pressure reports      the windows of all subscriptions   cannot be completions  the
//   windows of all subscriptions   cannot be
//
// A subscription that is behind closes its gate: publishers of matching topics wait outside, so
// that what is inside belongs to subscriptions with room.

#include "actors/batch.hpp"
#include "actors/peer_input.hpp"
#include "schemas/topic.hpp"
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace edupulse {

/// A deferral was completed.
struct completion {
  std::uint32_t subscription;
  std::uint64_t seq;
  std::uint32_t attempt;
  outcome what;
};

class inbox {
public:
  struct limits {
    std::size_t events = 16384;
    std::size_t bytes = 16u << 20;
  };
  /// `ring` wakes the router; called on the caller's thread, at most once between two `take`s.
  inbox(limits bounds, std::function<void()> ring);

  // -- publishers ---------------------------------------------------------------------
  /// Leaves an event, waiting up to `patience` for room. Errors: `back_pressure`, naming who holds
  /// it up; what it was closed for.
  expected<void> admit(envelope_ptr event, duration patience);
  /// Could it be left now? Never waits.
  expected<void> has_room(const envelope& event);
  /// Leaves what a handler published, bounds or not: its own credit bounds it.
  void commit(std::vector<envelope_ptr>&& events);

  // -- handlers -----------------------------------------------------------------------
  void report(batch_ptr work);
  void complete(completion what);
  void complete(std::vector<completion>&& all);

  // -- the wire -------------------------------------------------------------------------
  /// Bounded by the wire, which stops reading from a peer whose frames lie here too long.
  void leave(peer_input what);
  /// Something has been written: the router is woken only if it waits for that.
  void leave_written(std::uint64_t session);

  // -- router ---------------------------------------------------------------------------
  struct contents {
    std::vector<chunk_ptr> events;
    std::vector<batch_ptr> reports;
    std::vector<completion> completions;
    std::vector<peer_input> peers;
    bool empty() const noexcept {
      return events.empty() && reports.empty() && completions.empty() && peers.empty();
    }
    /// Events, reports and frames: how busy it is.
    std::size_t weight() const noexcept {
      std::size_t sum = reports.size() + peers.size();
      for (const auto& part : events)
        sum += part->entries.size();
      return sum;
    }
    void clear() {
      events.clear();
      reports.clear();
      completions.clear();
      peers.clear();
    }
  };
  /// Takes everything. When there is nothing and `sleepy`, the next one to leave something rings.
  void take(contents& into, bool sleepy);
  /// Wakes the router as if something had been left.
  void ring();
  /// Whether it has more to write than the wire takes. Say so before `take`, never after.
  void wait_for_wire(bool yes) noexcept {
    if (waits_for_wire_.load(std::memory_order_relaxed) != yes) // the router's own: it alone writes
      waits_for_wire_ = yes;
  }
  void close_gate(std::uint32_t subscription, std::string_view name, const topic_filter& filter);
  void open_gate(std::uint32_t subscription);
  /// From now on nothing is admitted; waiting publishers are sent home. Commits still enter.
  void close(error why = {errc::stopping, "the node is stopping: nothing was accepted"});

private:
  struct gate {
    std::uint32_t subscription;
    std::string name;
    topic_filter filter;
  };

  const gate* held_by(const envelope& event) const;
  bool has_space() const noexcept { return events_ < bounds_.events && bytes_ < bounds_.bytes; }
  expected<void> verdict(const envelope& event) const;
  void append(envelope_ptr&& event);
  void wake(std::unique_lock<std::mutex>& guard);

  const limits bounds_;
  const std::function<void()> ring_;

  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t waiting_publishers_ = 0;
  std::shared_ptr<chunk> filling_;
  std::vector<chunk_ptr> filled_;
  std::size_t events_ = 0;
  std::size_t bytes_ = 0;
  std::size_t last_chunk_ = 1;
  std::vector<batch_ptr> reports_;
  std::vector<completion> completions_;
  std::vector<peer_input> peers_;
  std::vector<gate> gates_;
  bool idle_ = true;
  std::optional<error> closed_; ///< for what
  std::atomic<bool> waits_for_wire_{false};
};

} // namespace edupulse
