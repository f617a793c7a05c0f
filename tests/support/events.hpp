#pragma once
// Envelopes for tests that do not care what is inside.

#include "schemas/envelope_writer.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace edupulse::test {

struct event_recipe {
  std::string name = "lesson.published";
  std::string subject{};
  std::string key{};
  std::vector<std::pair<std::string_view, std::string_view>> meta{};
  std::size_t payload_bytes = 0;
  /// Low half of the id; two events with one number are the same event.
  std::uint64_t number = 0;
  delivery_level level = delivery_level::acknowledged;
  time_point expires_at = time_point::max();
  node_id publisher = make_node_id(1, 2);
};

/// An event type of that name, without a schema.
inline const event_type& type_named(const std::string& name) {
  static std::map<std::string, event_type> types; // neither keys nor values ever move
  const auto at = types.try_emplace(name).first;
  at->second.name = at->first;
  at->second.version = 1;
  at->second.schema_id = 0xc0ffee0000000001;
  return at->second;
}

inline envelope_ptr make_event(const event_recipe& how = {}) {
  static std::uint64_t last_number = 1u << 20;
  envelope_writer writer(type_named(how.name));
  if (how.payload_bytes > 0)
    writer.payload().initAsAnyStruct(0, 1).getPointerSection()[0].initAs<capnp::Data>(
        static_cast<unsigned>(how.payload_bytes));
  envelope_header header;
  header.id.value = from_halves(0x0193000000007000,
                                0x8000000000000000 | (how.number ? how.number : ++last_number));
  header.publisher = how.publisher;
  header.occurred_at_ms = 1'700'000'000'000;
  header.subject = how.subject;
  header.key = how.key;
  header.meta = how.meta;
  auto event = writer.finish(header).value();
  if (how.level != delivery_level::acknowledged || how.expires_at != time_point::max())
    envelope_writer::set_travel(event, how.level, how.expires_at);
  return event;
}

} // namespace edupulse::test
