#pragma once
// What the wire leaves in the router's inbox. Sessions have numbers that nobody uses twice, so what
// belongs to an earlier one is told apart.

#include "actors/membership_effect.hpp"
#include "actors/peers.hpp"
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace edupulse {

namespace peer_inputs {

struct session_up {
  peer_identity who;
  std::uint64_t session;
};
struct session_lost {
  std::uint64_t session;
};
struct control {
  std::uint64_t session;
  peer_control what;
};
struct frame {
  std::uint64_t session;
  std::vector<incoming_run> runs;
  std::shared_ptr<void> held; ///< lets the wire read on when it is gone
};
/// More of a frame of events has come that has been on its way in for a while.
struct arriving {
  std::uint64_t session;
};
/// A frame of events has left this process.
struct written {
  std::uint64_t session;
};
/// A member is believed dead, or has left.
struct gone {
  node_id node;
  std::string name;
};
/// This node's id runs elsewhere: nothing leaves any more, and nobody answers.
struct fenced {};

} // namespace peer_inputs

using peer_input = std::variant<peer_inputs::session_up, peer_inputs::session_lost,
                                peer_inputs::control, peer_inputs::frame, peer_inputs::arriving,
                                peer_inputs::written, peer_inputs::gone, peer_inputs::fenced>;

} // namespace edupulse
