#pragma once
// A message that is no event, as the event `$source.malformed`, and back.

#include "schemas/source_event.hpp"
#include <edupulse/source.hpp>
#include <string_view>

namespace edupulse {

/// What is larger is cut: messages may be larger than events.
struct malformed_limits {
  std::size_t body = 0; ///< bytes
  std::size_t text = 0; ///< bytes of everything else that is one text
  std::size_t headers = 0;
};

void write_malformed(const inbound_message& what, std::string_view source, std::string_view problem,
                     const malformed_limits& limits, SourceMalformed::Builder to);

/// Errors: `refused` when something was cut. Throws what Cap'n Proto throws.
expected<inbound_message> read_malformed(SourceMalformed::Reader from);

} // namespace edupulse
