#pragma once
// What two links say to each other on the control connection: schemas/link.capnp, as values.

#include "actors/inbound.hpp"
#include "actors/ledger_view.hpp"
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

namespace edupulse {

/// The first message of each side in a session.
struct link_resume {
  std::uint64_t control_seen = 0; ///< numbered control messages that arrived, ever
  std::vector<inbound::expectation> expected;
  std::uint64_t link = 0;      ///< the sender's number of its link; 0: says nothing
  std::uint64_t peer_link = 0; ///< the receiver's, as the sender knows it; 0: not at all
  /// `expected` goes on in another one. A side sends its second when it has had the peer's first:
  /// earlier, the peer may not have a session yet.
  bool more = false;
};
/// How far this side has read; sent now and then. Nothing waits for it.
struct link_taken {
  std::uint64_t control = 0; ///< numbered control messages, ever
  std::uint64_t frames = 0;  ///< frames of events, in this session
};
/// A numbered message: conclusions of events, or something the link only carries.
struct link_numbered {
  std::uint64_t number = 0;
  std::variant<std::vector<ack_run>, std::vector<std::byte>> what;
};
/// A question to the peer's router, and one part of the answer. Neither is kept for the next
/// session, and the link has no part in them.
struct link_ask {
  static constexpr std::uint16_t ledger = 0;
  std::uint64_t id = 0;
  std::uint16_t about = ledger;
  std::uint32_t part = 0;
};
struct link_answer {
  std::uint64_t id = 0;
  std::uint32_t part = 0;
  bool last = false;
  ledger_view lines;
};
using link_control = std::variant<link_resume, link_taken, link_numbered, link_ask, link_answer>;

} // namespace edupulse
