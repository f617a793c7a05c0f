#pragma once
// What is kept for others in all, and how much may be. A backlog is as large as the subscription on
// the other node says; what bounds the memory of this one is a budget for each peer, and within
// that one for the node.
//
// A queue may hold as much as its budget has left over (Choudhury and Hahne, "Dynamic Queue Length
// Thresholds for Shared-Memory Packet Switches", 1998): one that stands still takes half of it,
// seventeen take a little more than a twentieth each, and always as much is left for the next.
// Nothing is divided up before it is needed, and nothing is searched: a budget is one number.
//
// What counts is memory: an event that several queues of a peer hold counts once, until the last of
// them has let go of the slice that it came in. One thread.

#include "actors/batch.hpp"
#include <algorithm>
#include <limits>
#include <memory>

namespace edupulse {

/// A handle: copies are of one budget. The default is one without a bound.
class budget {
public:
  budget() = default;
  explicit budget(std::size_t most) : of_(std::make_shared<account>(account{most, 0, {}})) {}
  /// What is kept in it is kept in this one, too.
  budget part(std::size_t most) const {
    budget made(most);
    made.of_->whole = of_;
    return made;
  }

  void add(std::size_t bytes) const noexcept {
    for (auto* at = of_.get(); at != nullptr; at = at->whole.get())
      at->kept += bytes;
  }
  void take(std::size_t bytes) const noexcept {
    for (auto* at = of_.get(); at != nullptr; at = at->whole.get())
      at->kept -= bytes;
  }
  std::size_t kept() const noexcept { return of_ ? of_->kept : 0; }
  /// What is left over, here and in the whole.
  std::size_t room() const noexcept {
    auto least = std::numeric_limits<std::size_t>::max();
    for (auto* at = of_.get(); at != nullptr; at = at->whole.get())
      least = std::min(least, at->most - std::min(at->most, at->kept));
    return least;
  }
  /// The same events, `bytes` in all, which count for as long as somebody has them. Events that are
  /// part of a chunk are given one of their own: they would keep the memory of all of it.
  slice keep(const slice& what, std::size_t bytes) const;

private:
  struct account {
    std::size_t most;
    std::size_t kept;
    std::shared_ptr<account> whole;
  };
  struct kept_chunk;
  std::shared_ptr<account> of_;
};

} // namespace edupulse
