#pragma once
// Makes an event of a broker's message, or says why it is none. Whatever a mirror writes is read
// here, and what others write by the same rules. What form a message has is told by, in this order:
//
//     headers with CloudEvents attributes        CloudEvents in binary mode
//     content type application/cloudevents+json  CloudEvents in structured mode
//     content type application/x-capnproto       the envelope
//     `source_options::event`                    its body is that event's payload, as JSON
//     a body that says "specversion"             CloudEvents in structured mode
//     anything else                              the flattened form

#include "schemas/json.hpp"
#include <edupulse/source.hpp>
#include <string>

namespace edupulse {

/// A core: no thread, no clock. Bytes are hostile.
class inbound_reader {
public:
  /// `where`: of the source; ids that a message does not bring are made of it and the message's
  /// place. `max_bytes`: of an event.
  inbound_reader(source_options how, std::string where, std::size_t max_bytes)
      : how_(std::move(how)), where_(std::move(where)), max_bytes_(max_bytes) {}

  /// A mirror of this cluster sent it.
  bool is_echo(const inbound_message& what) const;
  /// `own`: id, time and publisher. The publisher of an event is always this node, which sends it;
  /// who made it at first is `originalsource` of the metadata. Errors: `bad_json`, `malformed`,
  /// `unknown_schema`, `wrong_type`, and those of `envelope_writer::finish`.
  expected<envelope_ptr> read(const inbound_message& what, const envelope_header& own) const;

private:
  json_options options_of(json_form form) const;
  expected<json_event> read_text(std::string_view text, json_form form) const;
  expected<json_event> read_parts(const cloud_attributes& attributes,
                                  std::optional<std::string_view> data) const;
  expected<json_event> read_binary(const inbound_message& what) const;
  expected<json_event> read_payload(const inbound_message& what) const;
  expected<json_event> read_envelope(const inbound_message& what) const;
  expected<json_event> read_any(const inbound_message& what) const;
  void add_origin(json_event& to, const inbound_message& what, const envelope_header& own) const;

  source_options how_;
  std::string where_;
  std::size_t max_bytes_;
};

} // namespace edupulse
