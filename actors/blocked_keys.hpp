#pragma once
// Order per key, paid for only when something went wrong. While every event succeeds, one handler
// taking events in turn keeps every key in order for nothing. A key is blocked from the moment one
// of its events has not succeeded at once (it retries, is deferred, or was given up on): that event
// is the head of the key's line, and later ones queue behind it.
//
//     free --not ok--> headed --head ended while others may be under way--> closing
//       ^                |  ^                                                  |
//       |  no follower   |  +---------- first follower, all have reported -----+
//       +----------------+-- (head ended as the only one under way: at once) --+
//
// Why "closing": when the head ends without having been sent again (its deferral was completed, it
// was rejected), later events of the key may still lie in the handler's mailbox, which will step
// aside there. The line picks its next head only when all batches sent before have reported, or a
// later event could overtake one that is on its way back.

#include "schemas/envelope.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <tsl/robin_map.h>
#include <utility>

namespace edupulse {

class blocked_keys {
public:
  using follower = std::pair<std::uint64_t, envelope_ptr>; // seq, event

  bool empty() const noexcept { return lines_.empty(); }
  bool blocked(std::uint64_t key) const { return lines_.contains(key); }
  bool is_head(std::uint64_t key, std::uint64_t seq) const {
    auto at = lines_.find(key);
    return at != lines_.end() && at->second.head == seq;
  }

  /// `seq` (never 0) is what the key waits for, unless it waits for another already.
  void block(std::uint64_t key, std::uint64_t seq) {
    auto& head = lines_[key].head;
    if (head == 0)
      head = seq;
  }
  /// The redriven self of a dead head takes its place.
  void replace_head(std::uint64_t key, std::uint64_t seq) { lines_[key].head = seq; }

  /// Queues behind the head, in order of `seq`. The key must be blocked.
  void follow(std::uint64_t key, std::uint64_t seq, envelope_ptr event) {
    lines_.at(key).followers.emplace(seq, std::move(event));
  }

  /// The line begins to close: call `next` when all batches sent until now have reported.
  void close(std::uint64_t key) { lines_[key].head = 0; }

  /// Who is the head now? Answers the first follower, or frees the key and answers nothing.
  /// A line that has a head already, or no line, answers nothing and is left alone.
  std::optional<follower> next(std::uint64_t key) {
    auto at = lines_.find(key);
    if (at == lines_.end() || at->second.head != 0)
      return std::nullopt;
    auto& followers = at.value().followers;
    if (followers.empty()) {
      lines_.erase(at);
      return std::nullopt;
    }
    auto first = followers.begin();
    follower found{first->first, std::move(first->second)};
    followers.erase(first);
    at.value().head = found.first;
    return found;
  }

  /// Calls `f(seq, event)` for every queued event.
  template <class F> void for_each(F f) const {
    for (const auto& [key, waiting] : lines_)
      for (const auto& [seq, event] : waiting.followers)
        f(seq, event);
  }

  void clear() { lines_.clear(); }

private:
  struct line {
    std::uint64_t head = 0; ///< 0 while closing
    std::map<std::uint64_t, envelope_ptr> followers;
  };
  tsl::robin_map<std::uint64_t, line> lines_; // of a mirror: as many as its window
};

} // namespace edupulse
