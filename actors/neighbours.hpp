#pragma once
// Which peer of the router a session belongs to. The wire knows nodes and sessions, the router
// knows peers by number; a peer is a node *name*, and outlives its starts. A start of the same node
// under another name is another peer, and the one before is as good as dead.

#include "actors/peer_input.hpp"
#include "actors/router.hpp"
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tsl/robin_map.h>

namespace edupulse {

class neighbours {
public:
  void apply(router& to, peer_input&& what, time_point now, effect_list& out);
  /// To write to a peer: the session it has now.
  std::optional<std::uint64_t> session_of(std::uint32_t peer) const;

private:
  struct entry {
    std::uint32_t peer = 0;
    node_id node;
    std::uint64_t boot_epoch = 0;
    std::uint64_t instance = 0;
    std::uint64_t session = 0; ///< 0: none now
  };

  void on_up(router& to, const peer_inputs::session_up& what, time_point now, effect_list& out);
  void end_other_names(router& to, node_id node, const std::string& present, time_point now,
                       effect_list& out);
  entry* of_session(std::uint64_t session);
  bool owns(const entry& one, const router& to) const;
  void forget_removed(const router& to);

  std::map<std::string, entry, std::less<>> by_name_;
  std::set<std::pair<node_id, std::string_view>> names_; ///< of each node; they lie in `by_name_`
  tsl::robin_map<std::uint64_t, entry*> by_session_; ///< nodes of `by_name_` stay where they are
  tsl::robin_map<std::uint32_t, entry*> by_peer_;
};

} // namespace edupulse
