#pragma once
// What travels between publishers, the router and the handlers of one node.
//
// Events are never copied and, on the usual path, never even moved: publishers append them to a
// chunk; the router takes the chunk whole, and what a subscription is owed is a slice of it. A
// batch is such a slice (or, for events with a history, a list of items) on its way to one handler
// actor. The handler's progress is published inside the batch as it goes, so that a crash in the
// middle costs the one event that was being handled and no other: the router reads off how far it
// came.

#include "actors/outcome.hpp"
#include "schemas/envelope.hpp"
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace edupulse {

/// One event in a chunk, with what the router would otherwise fetch from the envelope's memory.
struct chunk_entry {
  envelope_ptr event;
  std::uint64_t topic_hash;
  std::uint32_t footprint;
  bool special; ///< tracked, expiring or best effort: needs a look of its own
};
inline chunk_entry make_entry(envelope_ptr&& event) noexcept {
  const auto& what = *event;
  const bool special = what.tracked_by() != nullptr || what.expires_at() != time_point::max() ||
                       what.level() == delivery_level::best_effort;
  const auto hash = what.topic_hash();
  const auto footprint = static_cast<std::uint32_t>(what.footprint());
  return {std::move(event), hash, footprint, special};
}

/// At most this many events in a chunk and in a batch.
inline constexpr std::uint32_t max_batch = 256;

/// Events in publish order. Immutable once the router has it.
struct chunk {
  chunk() = default;
  chunk(const chunk&) = delete;
  chunk& operator=(const chunk&) = delete;
  ~chunk();
  std::vector<chunk_entry> entries;
};
using chunk_ptr = std::shared_ptr<const chunk>;

/// Events [begin, end) of a chunk, numbered from `first_seq` by the subscription they are owed to.
struct slice {
  chunk_ptr events;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint64_t first_seq = 0;

  std::uint32_t size() const noexcept { return end - begin; }
};

/// An event that travels on its own: tried before, stepped aside, or picked out for its key.
struct work_item {
  envelope_ptr event;
  std::uint64_t seq = 0;
  std::uint32_t attempt = 1;
  /// The first of its key: the handler's side forgets that the key was blocked.
  bool opens_key = false;
  std::uint64_t gap = 0; ///< events missed just before it
};

/// What became of an event that was not simply handled.
struct exception_note {
  enum class kind : std::uint8_t {
    answered,      ///< the handler said something other than ok; see `said`
    stepped_aside, ///< not tried: an earlier event of its key has not succeeded
    returned,      ///< not tried: the subscription was found unavailable
    expired,       ///< not tried: its time was up
  };
  std::uint32_t index;
  kind what;
  outcome said = outcome::ok();
};

class batch {
public:
  batch(std::uint32_t for_subscription, std::uint32_t for_lane, std::uint32_t of_generation)
      : subscription(for_subscription), lane(for_lane), generation(of_generation) {}

  // -- set by the router before it is sent ----------------------------------------
  const std::uint32_t subscription;
  const std::uint32_t lane;
  const std::uint32_t generation;
  slice fresh;                           ///< used when `items` is empty
  std::vector<work_item> items;          ///< used when not empty
  std::uint64_t fresh_gap = 0;           ///< events missed just before the first of `fresh`
  std::vector<std::uint64_t> freed_keys; ///< no longer blocked: nothing of them is under way
  bool probe = false; ///< sent to find out whether the handler is available again
  time_point sent_at{};

  std::uint32_t size() const noexcept {
    return items.empty() ? fresh.size() : static_cast<std::uint32_t>(items.size());
  }
  const envelope_ptr& event(std::uint32_t i) const noexcept {
    return items.empty() ? fresh.events->entries[fresh.begin + i].event : items[i].event;
  }
  std::uint64_t seq(std::uint32_t i) const noexcept {
    return items.empty() ? fresh.first_seq + i : items[i].seq;
  }
  std::uint32_t attempt(std::uint32_t i) const noexcept {
    return items.empty() ? 1 : items[i].attempt;
  }
  std::uint64_t gap(std::uint32_t i) const noexcept {
    return !items.empty() ? items[i].gap : i == 0 ? fresh_gap : 0;
  }
  bool opens_key(std::uint32_t i) const noexcept { return !items.empty() && items[i].opens_key; }

  // -- written by the handler's thread, read by the router's -----------------------
  /// How far the handler came: `done` events are over, and the next one is being handled or not.
  struct progress_mark {
    std::uint32_t done;
    bool running;
    friend bool operator==(const progress_mark&, const progress_mark&) = default;
  };
  /// Event `i` is about to be handled; everything before it is done.
  void begin(std::uint32_t i) noexcept { mark_.store(2 * i + 1, std::memory_order_release); }
  /// Everything before `i` is done and nothing is being handled.
  void halt(std::uint32_t i) noexcept { mark_.store(2 * i, std::memory_order_release); }
  progress_mark progress() const noexcept {
    const auto mark = mark_.load(std::memory_order_acquire);
    return {mark / 2, mark % 2 == 1};
  }

  /// Notes that an event was not simply handled. False when the router has closed the batch: the
  /// note is not taken and nothing that depends on it may be published.
  bool note(exception_note what);
  /// Runs `commit` unless the router has closed the batch; the two exclude each other.
  template <class F> bool unless_closed(F commit) {
    std::lock_guard guard(mutex_);
    if (closed_)
      return false;
    commit();
    return true;
  }

  struct results {
    progress_mark progress;
    std::vector<exception_note> notes; ///< by index, rising
  };
  /// Router only: takes what is known and lets nothing more in.
  results close();

private:
  std::atomic<std::uint32_t> mark_{0};
  std::mutex mutex_;
  std::vector<exception_note> notes_;
  bool closed_ = false;
};

using batch_ptr = std::shared_ptr<batch>;

} // namespace edupulse
