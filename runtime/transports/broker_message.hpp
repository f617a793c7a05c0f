#pragma once
// An event as a broker's message, in the form that its readers want.

#include "runtime/transports/topic_template.hpp"
#include "schemas/json.hpp"
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

enum class message_form : std::uint8_t {
  cloudevents,       ///< structured: one JSON document
  cloudevents_json,  ///< binary: attributes as headers, the payload as JSON
  cloudevents_capnp, ///< binary: attributes as headers, the payload as a Cap'n Proto message
  flattened,         ///< JSON as the first version of this bus wrote it
  envelope           ///< the Cap'n Proto message that nodes send each other
};

/// `cloudevents`, `cloudevents-json`, … Errors: `invalid_option`, naming those that there are.
expected<message_form> parse_message_form(std::string_view text);
std::string_view to_string(message_form what) noexcept;

struct message_options {
  topic_template topic;
  message_form form = message_form::cloudevents;
  /// In front of each CloudEvents attribute in a header. Its bindings say `ce-` for NATS, `ce_` for
  /// Kafka, `cloudEvents:` for AMQP.
  std::string header_prefix = "ce-";
  /// Values of headers are percent-encoded, as CloudEvents asks for where a header is a line:
  /// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
  bool escapes_headers = false;
  /// The name of this cluster, added to what the event says of those it came through. A source of
  /// this name does not take it in again.
  std::string mark;
  /// Only events with all of these metadata are sent: names and values.
  std::vector<std::pair<std::string, std::string>> only{};
  /// For events that this program was not compiled with.
  type_lookup types{};
};

struct broker_message {
  std::string topic;
  std::string_view content_type;                            ///< static, ends with a zero
  std::vector<std::pair<std::string, std::string>> headers; ///< without the content type
  std::string body;
};

/// It has the metadata that `how` asks for.
bool is_wanted(const envelope& event, const message_options& how);

/// Errors: those of `topic_template::of` and `to_json`.
expected<broker_message> to_message(const envelope& event, const message_options& how);

} // namespace edupulse
