#include "runtime/transports/broker_message.hpp"

#include "runtime/transports/content_types.hpp"
#include "runtime/transports/via.hpp"
#include "schemas/codec.hpp"
#include <algorithm>
#include <array>
#include <span>

namespace edupulse {

namespace {

constexpr std::array<std::pair<message_form, std::string_view>, 5> forms = {
    {{message_form::cloudevents, "cloudevents"},
     {message_form::cloudevents_json, "cloudevents-json"},
     {message_form::cloudevents_capnp, "cloudevents-capnp"},
     {message_form::flattened, "flattened"},
     {message_form::envelope, "envelope"}}};

/// A message that any Cap'n Proto library reads: with its table of one segment.
std::string framed(std::span<const capnp::word> words) {
  const std::uint32_t table[2] = {0, static_cast<std::uint32_t>(words.size())};
  std::string made;
  made.reserve(sizeof table + words.size_bytes());
  made.append(reinterpret_cast<const char*>(table), sizeof table);
  return made.append(reinterpret_cast<const char*>(words.data()), words.size_bytes());
}

std::string framed_payload(const envelope& event) {
  static constexpr capnp::word null_root[1] = {};
  const auto words = event.payload_words();
  return framed(words.empty() ? std::span<const capnp::word>(null_root) : words);
}

const event_type* type_of(const envelope& event, const message_options& how) {
  return event.type() != nullptr || !how.types ? event.type() : how.types(event.name());
}

/// Attributes go into headers, the payload alone into the body.
expected<void> write_binary(const envelope& event, const message_options& how, broker_message& to) {
  const bool as_json = how.form == message_form::cloudevents_json;
  to.content_type = as_json ? content_types::json : content_types::capnp;
  auto attributes = to_cloud_attributes(event, std::string(to.content_type));
  if (!attributes)
    return tl::unexpected(std::move(attributes.error()));
  for (auto& [name, value] : *attributes)
    if (name != "datacontenttype") // it is the content type of the message
      to.headers.emplace_back(how.header_prefix + name, std::move(value));
  auto body = as_json ? payload_to_json(event, type_of(event, how))
                      : expected<std::string>(framed_payload(event));
  if (!body)
    return tl::unexpected(std::move(body.error()));
  to.body = std::move(*body);
  return {};
}

expected<void> write_whole(const envelope& event, const message_options& how, broker_message& to) {
  if (how.form == message_form::envelope) {
    to.content_type = content_types::capnp;
    to.body = framed(event.words());
    return {};
  }
  const bool flat = how.form == message_form::flattened;
  to.content_type = flat ? content_types::json : content_types::cloudevent;
  auto body =
      to_json(event, flat ? json_form::flattened : json_form::cloudevents, type_of(event, how));
  if (!body)
    return tl::unexpected(std::move(body.error()));
  to.body = std::move(*body);
  return {};
}

std::string percent_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '"' && c != '%')
      made += c;
    else
      made.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return made;
}

} // namespace

expected<message_form> parse_message_form(std::string_view text) {
  for (const auto& [form, name] : forms)
    if (name == text)
      return form;
  return fail(errc::invalid_option, "format " + quote(text) +
                                        " is none of cloudevents, cloudevents-json, "
                                        "cloudevents-capnp, flattened, envelope");
}

std::string_view to_string(message_form what) noexcept {
  return std::ranges::find(forms, what, &decltype(forms)::value_type::first)->second;
}

bool is_wanted(const envelope& event, const message_options& how) {
  return std::ranges::all_of(how.only,
                             [&](const auto& one) { return event.meta(one.first) == one.second; });
}

expected<broker_message> to_message(const envelope& event, const message_options& how) {
  broker_message made;
  auto topic = how.topic.of(event);
  if (!topic)
    return tl::unexpected(std::move(topic.error()));
  made.topic = std::move(*topic);
  const bool binary =
      how.form == message_form::cloudevents_json || how.form == message_form::cloudevents_capnp;
  auto written = binary ? write_binary(event, how, made) : write_whole(event, how, made);
  if (!written)
    return tl::unexpected(std::move(written.error()));
  if (!how.mark.empty())
    made.headers.emplace_back(via_header, with_mark(event.meta(via_meta), how.mark));
  if (how.escapes_headers)
    for (auto& [name, value] : made.headers)
      value = percent_encoded(value);
  return made;
}

} // namespace edupulse
