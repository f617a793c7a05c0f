#pragma once
// The addresses through which a node joins. Tried one after the other, in random order, with
// growing pauses, for ever; and not only until the node is in, but until each of them has once
// agreed with it about the members: two seeds that started side by side, each with friends of its
// own, so become one cluster.

#include "actors/backoff.hpp"
#include "schemas/ids.hpp"
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

class seed_list {
public:
  static constexpr std::size_t max_seeds = 64;

  /// Replaces the list; what is more than `max_seeds` is left out. `own` is this node's address.
  void set(const std::vector<std::string>& addresses, std::string_view own, duration first,
           duration cap, time_point now, random_source& chance);
  /// All that are not this node are to be tried again, from now.
  void restart(time_point now);
  void postpone(time_point now) noexcept { next_ = std::max(next_, now); }

  /// True when nobody else is in it.
  bool only_self() const noexcept;
  std::optional<time_point> next() const;
  /// The address to dial now, if it is time; and one pause later the next one.
  std::optional<std::string> take_due(time_point now, random_source& chance);

  /// The hello of whoever answers at `address`.
  void met(std::string_view address, node_id who);
  void is_self(std::string_view address);
  /// It has dialled this node, which then asks it as it would a seed.
  void came(node_id who);
  /// Tables were compared with this node, if it is a seed.
  void agreed(node_id who);
  /// This node is gone. If it was a seed, whoever comes back at its address is met again: seeds
  /// that were restarted all at once know nobody but each other. Slower, for it may never come
  /// back.
  void lost(node_id who, time_point now);
  bool contains(std::string_view address) const noexcept;
  bool asked(node_id who) const noexcept;

private:
  enum class seed_state : std::uint8_t { wanted, self, agreed };
  struct seed {
    std::string address;
    seed_state state = seed_state::wanted;
    node_id who;
  };

  std::vector<seed> seeds_;      // in the order in which they are tried
  std::vector<node_id> callers_; // the latest `max_seeds` that came by themselves
  std::size_t turn_ = 0;
  duration first_{};
  duration cap_{};
  duration pause_{};
  bool patient_ = false; // all that are wanted were in the cluster before
  time_point next_{};
};

} // namespace edupulse
