#pragma once
// What the switchboard asks of its shell.

#include "actors/link_frames.hpp"
#include "actors/membership_effect.hpp"
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace edupulse {

/// Given by the shell, never used again.
using connection_id = std::uint64_t;

/// An established conversation with one start of a peer.
struct peer_session {
  peer_identity who;
  std::uint64_t number = 0; ///< of the session, random
  connection_id control = 0;
  connection_id bulk = 0;
  std::uint16_t version_minor = 0; ///< the lower of both sides
  std::uint64_t features = 0;      ///< of both sides
};

namespace switchboard_effects {

/// Write to a connection: whole frames.
struct write {
  connection_id to;
  frame_bytes bytes;
};
/// Close a connection when what was written to it has left, or a moment later.
struct close {
  connection_id which;
  std::string why;
};
/// Connect to "host:port", and answer with `on_connected` or `on_dial_failed`.
struct dial {
  std::uint64_t ticket;
  std::string address;
};
struct session_up {
  peer_session with;
};
struct session_lost {
  peer_session with;
  std::string why;
};
/// A frame of control messages or events of an established session. `body` is valid until the
/// call's end.
struct for_router {
  node_id from;
  std::uint64_t session;
  frame_kind kind;
  std::span<const std::byte> body;
  std::vector<std::byte> kept{}; ///< what `body` is in, when it waited for its session
};
/// For the log.
struct notice {
  bool trouble; ///< an operator should look
  std::string text;
};

} // namespace switchboard_effects

using switchboard_effect =
    std::variant<switchboard_effects::write, switchboard_effects::close, switchboard_effects::dial,
                 switchboard_effects::session_up, switchboard_effects::session_lost,
                 switchboard_effects::for_router, switchboard_effects::notice,
                 membership_effects::changed, membership_effects::self_changed>;

} // namespace edupulse
