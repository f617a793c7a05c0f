#pragma once
// Events to try a handler with, when nobody has given any: made up from the schema.

#include "schemas/envelope.hpp"
#include <cstddef>
#include <vector>

namespace edupulse::cli {

/// `count` events, of three keys in turn. Fields have values that differ from event to event; of
/// unions the first member is set; structs inside of each other are filled to a depth of four.
/// Errors: those of `envelope_writer::finish`.
expected<std::vector<envelope_ptr>> sample_events(const event_type& type, std::size_t count);

} // namespace edupulse::cli
