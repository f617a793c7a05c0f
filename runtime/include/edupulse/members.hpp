#pragma once
// The nodes of a cluster, as one of them sees them, and how it hears that something has changed:
//
//   node.subscribe<edupulse::MemberChanged>("watch", [](auto member, const auto&) { ... });
//
// or on one of the topics `$cluster.member.joined`, `.suspect`, `.dead`, `.left`, `.replaced`,
// `.alive_again` and `.changed`.

#include "schemas/envelope.hpp"
#include "schemas/member_event.hpp"
#include "schemas/member_state.hpp"
#include <cstdint>
#include <string>

namespace edupulse {

/// Value.
struct member {
  std::string name;
  node_id id;
  std::uint64_t epoch = 0;                  ///< counts the starts of `id`
  std::string address;                      ///< where it can be dialled
  member_state state = member_state::alive; ///< of itself: `left` also when it is fenced
  bool self = false;
  bool connected = false; ///< there is a session with it now
  /// Of events that it is owed; see `cluster_options::peer_budget`.
  std::size_t kept_bytes = 0;
};

} // namespace edupulse
