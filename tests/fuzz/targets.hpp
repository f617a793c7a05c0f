#pragma once
// What is fuzzed: each function takes any bytes at all, and returns. A rule that is broken ends the
// process, by an assertion or a sanitizer.

#include "actors/switchboard.hpp"
#include <cstddef>
#include <span>
#include <string_view>

namespace edupulse::fuzz {

using target = void (*)(std::span<const std::byte>);

/// A stream of frames: the reader, and what decodes each kind.
void frames(std::span<const std::byte> bytes);
/// One envelope. What is accepted is kept byte for byte.
void envelope(std::span<const std::byte> bytes);
/// One frame of membership, at a member of a cluster.
void membership_frame(std::span<const std::byte> bytes);
/// Steps of a conversation (below) with a node that was dialled, or has dialled.
void acceptor(std::span<const std::byte> bytes);
void dialer(std::span<const std::byte> bytes);
/// A plugin's file, and what is in it if there is one; and the latter by itself.
void plugin_image(std::span<const std::byte> bytes);
void manifest(std::span<const std::byte> bytes);
/// The words of one request of a control socket, to a node that answers it.
void control_request(std::span<const std::byte> bytes);
/// A message of a broker, to a source.
void inbound(std::span<const std::byte> bytes);

struct named_target {
  std::string_view name;
  target run;
};
inline constexpr named_target all_targets[] = {{"frames", frames},
                                               {"envelope", envelope},
                                               {"membership", membership_frame},
                                               {"acceptor", acceptor},
                                               {"dialer", dialer},
                                               {"plugin_image", plugin_image},
                                               {"manifest", manifest},
                                               {"control_request", control_request},
                                               {"inbound", inbound}};

/// A step is an operation and two bytes, little-endian: bytes for one of two connections (that many
/// follow), time that passes (in tens of milliseconds), or the end of a connection (0 or 1).
enum class step : std::uint8_t { first_says, second_says, wait, end };

/// The switchboard of both conversations, and who it is.
switchboard subject();

} // namespace edupulse::fuzz
