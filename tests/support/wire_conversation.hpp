#pragma once
// A conversation of two nodes, a and b, in which every kind of message of the protocol is said once
// at least. It is made from fixed values, not by the cores: what a core says when may change at any
// time, how it is written may not.

#include "actors/link_frames.hpp"
#include <string>
#include <vector>

namespace edupulse::test {

/// One frame, and what it is there for.
struct said {
  std::string title;
  frame_bytes bytes;
};

/// All that goes one way over one connection, in order.
struct said_stream {
  std::string name; ///< of its file
  node_id from;
  std::vector<said> frames;
};

std::vector<said_stream> wire_conversation();

/// What a frame says, as decoded by the code of today: one line for each thing, in words. `from`:
/// who has sent it. Errors are lines, too.
std::vector<std::string> in_words(frame_kind kind, std::span<const std::byte> body, node_id from);

} // namespace edupulse::test
