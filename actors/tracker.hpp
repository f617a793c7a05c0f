#pragma once
// The other half of a receipt: counts how the subscriptions of one event end, and lets one thread
// wait for it. The router counts, the publisher waits; this is one of the few types that both
// touch.

#include "actors/effect.hpp"
#include "schemas/envelope.hpp"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace edupulse {

/// How one subscription ended an event.
struct concluded_by {
  std::string subscription; ///< "indexer@api-2": its name and its node's
  fate how;
  friend bool operator==(const concluded_by&, const concluded_by&) = default;
};

/// What is known of a published event so far.
struct receipt_status {
  bool routed = false;    ///< the router has seen it, so `owed` is final
  std::uint32_t owed = 0; ///< subscriptions that matched
  std::uint32_t handled = 0;
  std::uint32_t dead = 0;
  std::uint32_t expired = 0;
  std::uint32_t dropped = 0;
  /// Who, in the order in which it became known here: the first `max_named`; the numbers above
  /// count all.
  std::vector<concluded_by> by{};
  static constexpr std::size_t max_named = 64;

  std::uint32_t concluded() const noexcept { return handled + dead + expired + dropped; }
  bool complete() const noexcept { return routed && concluded() >= owed; }
  bool no_subscriber() const noexcept { return routed && owed == 0; }
};

class receipt_tracker final : public tracker {
public:
  // -- router's thread --------------------------------------------------------------
  void routed(std::uint32_t owed);
  void concluded(fate how, std::string by);

  // -- any thread -------------------------------------------------------------------
  receipt_status status() const;
  /// Waits until the status is complete; false when `patience` ran out first.
  bool wait(duration patience);

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete this;
  }
  static void release_tracker(tracker* what) { static_cast<receipt_tracker*>(what)->release(); }

private:
  std::atomic<std::uint32_t> references_{1};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  receipt_status status_;
};

} // namespace edupulse
