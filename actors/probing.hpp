#pragma once
// Who is probed next, and what is known of the probes that run.

#include "actors/backoff.hpp"
#include "actors/member_table.hpp"
#include <algorithm>
#include <vector>

namespace edupulse {

/// Even in [0, n), n > 0; the same on every platform (Lemire 2019, without the rejection: `n` is
/// small).
inline std::size_t below(std::size_t n, random_source& chance) noexcept {
  __extension__ using wide = unsigned __int128;
  return static_cast<std::size_t>(static_cast<wide>(chance.next()) * n >> 64);
}

inline duration below(duration d, random_source& chance) noexcept {
  return duration(static_cast<duration::rep>(below(static_cast<std::size_t>(d.count()), chance)));
}

/// Every member once in a round, in an order drawn anew for each round; so a crash is seen by each
/// other member after at most 2 * members - 1 probes of its own.
class probe_order {
public:
  /// A new member gets a random place in what is left of this round.
  void insert(member_slot who, random_source& chance) {
    const std::size_t at = next_ + below(round_.size() - next_ + 1, chance);
    round_.insert(round_.begin() + static_cast<std::ptrdiff_t>(at), who);
  }
  void put_first(member_slot who) {
    round_.insert(round_.begin() + static_cast<std::ptrdiff_t>(next_), who);
  }
  /// `no_member` when nobody is live.
  member_slot next(const member_table& table, random_source& chance) {
    for (int rounds = 0; rounds < 2; ++rounds) {
      while (next_ < round_.size()) {
        const member_slot who = round_[next_++];
        if (table[who].live_at != no_member)
          return who;
      }
      const auto live = table.live();
      round_.assign(live.begin(), live.end());
      for (std::size_t left = round_.size(); left > 1; --left)
        std::swap(round_[left - 1], round_[below(left, chance)]);
      next_ = 0;
    }
    return no_member;
  }
  void forget(member_slot who) {
    std::erase(round_, who);
    next_ = std::min(next_, round_.size());
  }

private:
  std::vector<member_slot> round_;
  std::size_t next_ = 0;
};

/// A probe of this node's own.
struct probe {
  member_slot who;
  node_id target;
  std::uint32_t seq;
  time_point ask_at; ///< when helpers are asked
  time_point ends;
  bool asked = false;
  struct helper {
    node_id who;
    bool nacked = false;
  };
  std::vector<helper> helpers{};
};

/// A ping for another node that asked for it.
struct relayed_ping {
  node_id asker;
  std::uint32_t asked_seq;
  node_id target;
  std::uint32_t seq;
  time_point nack_at;
  time_point ends;
  bool nacked = false;
};

} // namespace edupulse
