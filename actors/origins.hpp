#pragma once
// Which of a subscription's events came from other nodes, and under which numbers: so that what
// became of them can be told to who published them. Events get a sequence number here (`seq`) when
// they are owed; those from a peer had one of the peer's (`dseq`) already. Runs of both rise
// together, so a run of events is one entry.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>

namespace edupulse {

class origins {
public:
  struct run {
    std::uint64_t first_seq;
    std::uint64_t count;
    std::uint32_t peer;
    std::uint64_t first_dseq;
    std::uint64_t open; ///< not concluded

    std::uint64_t dseq(std::uint64_t seq) const noexcept { return first_dseq + (seq - first_seq); }
    std::uint64_t end() const noexcept { return first_seq + count; }
  };

  bool empty() const noexcept { return runs_.empty(); }

  /// `first_seq` is greater than any before.
  void add(std::uint64_t first_seq, std::uint64_t count, std::uint32_t peer,
           std::uint64_t first_dseq) {
    if (!runs_.empty()) {
      auto& last = runs_.back();
      if (last.end() == first_seq && last.peer == peer && last.dseq(first_seq) == first_dseq) {
        last.count += count;
        last.open += count;
        return;
      }
    }
    runs_.push_back({first_seq, count, peer, first_dseq, count});
  }

  /// Null: it was published here.
  const run* find(std::uint64_t seq) const noexcept {
    const auto after =
        std::upper_bound(runs_.begin(), runs_.end(), seq,
                         [](std::uint64_t s, const run& one) { return s < one.first_seq; });
    if (after == runs_.begin() || seq >= std::prev(after)->end())
      return nullptr;
    return &*std::prev(after);
  }

  /// `f(peer, first dseq, count)` for each run among the events [from, to), which are concluded.
  template <class F> void conclude(std::uint64_t from, std::uint64_t to, F f) {
    while (!runs_.empty() && from < to) {
      auto after =
          std::upper_bound(runs_.begin(), runs_.end(), from,
                           [](std::uint64_t s, const run& one) { return s < one.first_seq; });
      if (after != runs_.begin() && from < std::prev(after)->end()) {
        auto& one = *std::prev(after);
        const auto count = std::min(to, one.end()) - from;
        f(one.peer, one.dseq(from), count);
        one.open -= count;
        from += count;
      } else {
        from = after == runs_.end() ? to : after->first_seq;
      }
    }
    while (!runs_.empty() && runs_.front().open == 0)
      runs_.pop_front();
  }

private:
  std::deque<run> runs_; ///< by rising `first_seq`
};

} // namespace edupulse
