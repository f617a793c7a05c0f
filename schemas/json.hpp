#pragma once
// Events as JSON, both ways, in two forms.
//
// CloudEvents 1.0, structured mode (https://github.com/cloudevents/spec):
//
//     {"specversion": "1.0", "id": UUID, "source": "urn:uuid:NODE", "type": NAME,
//      "subject": SUBJECT, "time": RFC 3339, "datacontenttype": "application/json",
//      "partitionkey": KEY, METADATA..., "data": PAYLOAD}
//
// Metadata are extension attributes, whose names CloudEvents restricts: `correlation-id` and
// `causation-id` are `correlationid` and `causationid`; other names of 1 to 20 characters a-z 0-9
// are themselves; all the rest are together in one attribute, `edupulsemeta`, as the text of a JSON
// object.
//
// Flattened, as the first version of this bus wrote events, for its consumers:
//
//     {"id": UUID, "name": NAME, "occurred_at": RFC 3339, "meta": {METADATA...},
//      FIELDS OF THE PAYLOAD...}
//
// An event whose payload has a field named `id`, `name`, `occurred_at` or `meta` cannot be
// flattened and is refused. The subject, the publisher, and a key that is not in the payload are
// `$subject`, `$publisher` and `$key` of `meta`.

#include "schemas/envelope.hpp"
#include "schemas/envelope_writer.hpp"
#include <capnp/dynamic.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

enum class json_form : std::uint8_t { cloudevents, flattened };

/// Writes `what`; `type` describes its payload, `what.type()` when it is null. Errors:
/// `unknown_schema` (there is neither), `wrong_type` (`type` is another one), `bad_json` (a field
/// that clashes or a payload that JSON cannot say or that cannot be read).
expected<std::string> to_json(const envelope& what, json_form form,
                              const event_type* type = nullptr);

/// Names and values, in no particular order.
using cloud_attributes = std::vector<std::pair<std::string, std::string>>;

/// For CloudEvents' binary mode, whose attributes are headers of a message: all that the structured
/// form has beside `data`. `content_type` says what the payload is written as. Errors: `bad_json`
/// for text that is not UTF-8, and a time that RFC 3339 cannot say.
expected<cloud_attributes> to_cloud_attributes(const envelope& what, std::string content_type);

/// The payload alone. Errors: those of `to_json`.
expected<std::string> payload_to_json(const envelope& what, const event_type* type = nullptr);

struct json_options {
  json_form form = json_form::flattened;
  /// Refuse fields that the schema does not know, rather than count them.
  bool strict = false;
  /// Longer texts are refused unread. Too small: large events cannot be read. Too large: one line
  /// costs several times as much memory while it is read.
  std::size_t max_bytes = 4 * default_max_envelope_bytes;
  /// CloudEvents of others, whose ids need not be UUIDs: such an id becomes the version 5 UUID of
  /// source and id, the same each time, and `originalid` and `originalsource` of the metadata say
  /// what they were.
  bool foreign = false;
};

/// What a JSON text said of one event. Move-only.
struct json_event {
  const event_type* type = nullptr;
  /// Absent in lines that were never events yet; whoever publishes them gives these three.
  std::optional<event_id> id;
  std::optional<std::int64_t> occurred_at_ms;
  std::optional<node_id> publisher;
  std::string subject;
  /// As given beside the payload; else the one in the payload.
  std::string key;
  std::vector<std::pair<std::string, std::string>> meta;
  /// Fields that neither the form nor the schema knows.
  std::size_t unknown_fields = 0;

  capnp::DynamicStruct::Reader payload() const;
  /// Holds the payload.
  std::unique_ptr<capnp::MallocMessageBuilder> message;
};

/// Errors: `bad_json`, naming the byte or the field; `unknown_schema`, naming the event.
expected<json_event> from_json(std::string_view text, const type_lookup& types,
                               const json_options& options = {});

/// A CloudEvent in binary mode: the attributes beside `data`, the payload as JSON, where it has
/// one. Errors: those of `from_json`.
expected<json_event> from_cloud_attributes(const cloud_attributes& attributes,
                                           std::optional<std::string_view> data,
                                           const type_lookup& types, const json_options& options);

/// The envelope that `from` describes; id, publisher and time are taken from `absent` where it has
/// none. Errors: those of `envelope_writer::finish`.
expected<envelope_ptr> to_envelope(const json_event& from, const envelope_header& absent,
                                   std::size_t max_bytes = default_max_envelope_bytes);

} // namespace edupulse
