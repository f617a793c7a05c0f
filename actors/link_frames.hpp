#pragma once
// Frames of schemas/link.capnp to bytes and back: the border of a link. What comes from a peer is
// checked here, before anything is allocated by what it says, and nowhere else.

#include "actors/link.hpp"
#include "schemas/codec.hpp"
#include <array>
#include <span>
#include <string>
#include <vector>

namespace edupulse {

enum class frame_kind : std::uint8_t {
  none = 0,
  hello = 1,
  refusal = 2,
  control = 3,
  events = 4,
  membership = 5,
};

struct frame_header {
  static constexpr std::size_t size = 8;
  frame_kind kind = frame_kind::none;
  std::uint32_t body_bytes = 0;
};

/// Errors: `malformed`, for an unknown kind, a body that is not a number of words, or bytes that
/// must be zero; `too_large` for a body above `max_body`.
expected<frame_header> decode_header(std::span<const std::byte, frame_header::size> bytes,
                                     std::size_t max_body);

struct hello_message {
  std::uint16_t version_major = 1;
  std::uint16_t version_minor = 0;
  std::uint64_t features = 0;
  std::string cluster;
  node_id node;
  std::uint64_t boot_epoch = 0;
  std::uint64_t instance = 0;
  std::string name;
  std::string address;
  std::uint64_t session = 0;
  bool bulk = false;
  std::vector<std::pair<std::string, std::string>> settings;
  std::uint32_t max_event_bytes = 0;
  friend bool operator==(const hello_message&, const hello_message&) = default;
};

enum class refusal_reason : std::uint8_t {
  other,
  wrong_cluster,
  version,
  settings,
  fenced,
  conflict,
  name,
  full,
  stopping,
  duplicate
};
struct refusal_message {
  refusal_reason reason = refusal_reason::other;
  std::string text;
  std::uint64_t boot_epoch = 0; ///< `fenced`: of the later start
  std::string address{};        ///< `fenced`: where that can be dialled
  friend bool operator==(const refusal_message&, const refusal_message&) = default;
};

using control_message = link_control;

// -- out: whole frames, header and body -------------------------------------------------------

using frame_bytes = std::vector<char>;

/// Appends to `to`, so that several frames are one write.
void append_frame(frame_bytes& to, const hello_message& what);
void append_frame(frame_bytes& to, const refusal_message& what);
void append_frame(frame_bytes& to, const control_message& what);
void append_frame(frame_bytes& to, std::span<const outgoing_run> events);
/// A body made elsewhere (membership).
void append_frame(frame_bytes& to, frame_kind kind, std::span<const std::byte> body);

// -- in: bodies ---------------------------------------------------------------------------------

struct link_limits {
  static constexpr std::size_t hello_bytes = 16u << 10; ///< before authentication
  static constexpr std::size_t control_bytes = 256u << 10;
  static constexpr std::size_t settings = 64;
  static constexpr std::size_t runs = 4096;
  static constexpr std::size_t targets = outgoing_run::most_targets;
  static constexpr std::size_t text_bytes = 255;
  static constexpr std::size_t ledger_lines = 4096;     ///< of one part of an answer
  static constexpr std::size_t ledger_reasons = 256;    ///< why events were dropped, of one line
  static constexpr std::size_t ledger_text_bytes = 512; ///< a topic, or "subscription@node"
  std::size_t max_event_bytes = default_max_envelope_bytes;
  /// A frame of events: the sender fills frames to 256 KiB, or sends one larger event alone.
  std::size_t events_bytes() const noexcept { return (512u << 10) + max_event_bytes; }
};

expected<hello_message> decode_hello(std::span<const std::byte> body);
expected<refusal_message> decode_refusal(std::span<const std::byte> body);
expected<control_message> decode_control(std::span<const std::byte> body);
/// `from`: the peer; an envelope of another publisher is refused. The runs share one chunk.
expected<std::vector<incoming_run>> decode_events(std::span<const std::byte> body, node_id from,
                                                  time_point now, const link_limits& limits);

} // namespace edupulse
