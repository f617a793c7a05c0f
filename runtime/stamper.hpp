#pragma once
// Turns what a caller filled into an event of this node: id, time, publisher, and what travels
// beside the bytes. The node and the testing bus publish through this and no other code.

#include "actors/runner.hpp"
#include "schemas/envelope_writer.hpp"
#include <edupulse/node.hpp>

namespace edupulse {

class stamper {
public:
  stamper(std::uint64_t seed, node_id publisher, std::size_t max_event_bytes)
      : ids_(seed), publisher_(publisher), max_event_bytes_(max_event_bytes) {}

  struct stamped {
    envelope_ptr event;
    receipt given;
  };
  /// For `publish`. `wall_ms`: Unix time; `expires`: `time_point::max()` is never.
  expected<stamped> publish(envelope_writer& writer, std::string_view key,
                            const publish_options& options, std::int64_t wall_ms,
                            time_point expires);
  /// For `context::publish`: the schema's key unless one is given.
  expected<envelope_ptr> make(const event_type& type,
                              const std::function<void(capnp::AnyPointer::Builder)>& fill,
                              std::string_view subject, std::string_view key,
                              event_port::metadata meta, std::int64_t wall_ms);

  /// What an event has that brings no id, time and publisher of its own.
  envelope_header absent(std::int64_t wall_ms) {
    return {ids_.next(wall_ms), publisher_, wall_ms, {}, {}, {}};
  }
  /// How `event` travels, before anybody else has it; `track`: the receipt follows it.
  static receipt send_off(envelope_ptr& event, delivery_level level, time_point expires,
                          bool track);

private:
  event_id_source ids_;
  const node_id publisher_;
  const std::size_t max_event_bytes_;
};

} // namespace edupulse
