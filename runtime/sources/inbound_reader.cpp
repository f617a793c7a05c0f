#include "runtime/sources/inbound_reader.hpp"

#include "runtime/transports/content_types.hpp"
#include "runtime/transports/via.hpp"
#include "schemas/codec.hpp"
#include "schemas/json_names.hpp"
#include "schemas/payload_reader.hpp"
#include <algorithm>
#include <capnp/serialize.h>
#include <cstring>
#include <optional>

namespace edupulse {

namespace {

constexpr std::string_view original_source = "originalsource";

std::string lowered(std::string_view text) {
  std::string made(text);
  for (char& c : made)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return made;
}

/// Without parameters: `application/json; charset=utf-8`.
std::string media_type(std::string_view text) {
  text = text.substr(0, text.find(';'));
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return lowered(text);
}

/// The attribute that a header carries, as the bindings of NATS, Kafka, and AMQP name it; or
/// nothing.
std::optional<std::string> attribute_of(std::string_view header) {
  auto name = lowered(header);
  for (const std::string_view prefix : {"ce-", "ce_", "cloudevents:", "cloudevents_"})
    if (name.starts_with(prefix))
      return name.substr(prefix.size());
  return std::nullopt;
}

std::string_view header_of(const inbound_message& what, std::string_view name) {
  const auto at = std::ranges::find_if(what.headers,
                                       [&](const auto& one) { return lowered(one.first) == name; });
  return at == what.headers.end() ? std::string_view{} : at->second;
}

bool is_binary(const inbound_message& what) {
  return std::ranges::any_of(
      what.headers, [](const auto& one) { return attribute_of(one.first) == "specversion"; });
}

tl::unexpected<error> not_one_segment() {
  return fail(errc::malformed, "the body is no Cap'n Proto message of one segment");
}

/// What follows the table of a message of one segment, which has to be all of it.
expected<std::span<const std::byte>> only_segment(std::string_view body) {
  std::uint32_t table[2];
  if (body.size() < sizeof table)
    return not_one_segment();
  std::memcpy(table, body.data(), sizeof table);
  if (table[0] != 0 || std::size_t{table[1]} * sizeof(capnp::word) != body.size() - sizeof table)
    return not_one_segment();
  return std::as_bytes(std::span(body)).subspan(sizeof table);
}

/// Copies the root of `from`, which follows all its pointers. Throws what Cap'n Proto throws.
void copy_root(capnp::AnyPointer::Reader from, json_event& to) {
  to.message = std::make_unique<capnp::MallocMessageBuilder>();
  if (from.isNull())
    to.message->initRoot<capnp::DynamicStruct>(to.type->schema());
  else
    to.message->setRoot(from.getAs<capnp::AnyStruct>());
}

/// The payload that is the body.
expected<void> copy_body(std::string_view body, json_event& to) {
  const auto segment = only_segment(body);
  if (!segment)
    return tl::unexpected(segment.error());
  // The reader wants words, and a text need not be aligned.
  std::vector<capnp::word> words(segment->size() / sizeof(capnp::word));
  std::memcpy(words.data(), segment->data(), segment->size());
  const kj::ArrayPtr<const capnp::word> only(words.data(), words.size());
  return catching(errc::malformed, [&] {
    capnp::SegmentArrayMessageReader reader(
        kj::arrayPtr(&only, 1),
        {.traversalLimitInWords = 64 * words.size() + 1024, .nestingLimit = 64});
    copy_root(reader.getRoot<capnp::AnyPointer>(), to);
  });
}

} // namespace

bool inbound_reader::is_echo(const inbound_message& what) const {
  return !how_.mark.empty() && came_through(header_of(what, via_header), how_.mark);
}

json_options inbound_reader::options_of(json_form form) const {
  return {.form = form,
          .strict = how_.strict,
          .max_bytes = 4 * max_bytes_ + max_bytes_ / 4,
          .foreign = true};
}

expected<json_event> inbound_reader::read_text(std::string_view text, json_form form) const {
  return from_json(text, how_.types, options_of(form));
}

expected<json_event> inbound_reader::read_parts(const cloud_attributes& attributes,
                                                std::optional<std::string_view> data) const {
  return from_cloud_attributes(attributes, data, how_.types, options_of(json_form::cloudevents));
}

expected<json_event> inbound_reader::read_binary(const inbound_message& what) const {
  cloud_attributes attributes;
  for (const auto& [name, value] : what.headers)
    if (auto attribute = attribute_of(name))
      attributes.emplace_back(std::move(*attribute), value);
  auto type = media_type(what.content_type);
  if (type != content_types::capnp) {
    if (!type.empty())
      attributes.emplace_back("datacontenttype", std::move(type));
    return read_parts(attributes, what.body.empty() ? std::nullopt : std::optional(what.body));
  }
  auto made = read_parts(attributes, std::nullopt);
  if (made)
    if (auto good = copy_body(what.body, *made); !good)
      return tl::unexpected(std::move(good.error()));
  return made;
}

expected<json_event> inbound_reader::read_payload(const inbound_message& what) const {
  return read_parts(
      {{"specversion", "1.0"}, {"source", where_.empty() ? "-" : where_}, {"type", how_.event}},
      what.body);
}

expected<json_event> inbound_reader::read_envelope(const inbound_message& what) const {
  const auto segment = only_segment(what.body);
  if (!segment)
    return tl::unexpected(segment.error());
  const auto event = decode(*segment, {.max_bytes = max_bytes_});
  if (!event)
    return tl::unexpected(event.error());
  const auto* type = how_.types(std::string((*event)->name()));
  if (type == nullptr)
    return fail(errc::unknown_schema,
                "no event of the name " + quote((*event)->name()) + " is known here");
  if (type->schema_id != (*event)->schema_id())
    return fail(errc::wrong_type, "event " + quote((*event)->name()) +
                                      " was written with another schema than the one here");
  json_event made;
  made.type = type;
  made.id = (*event)->id();
  made.occurred_at_ms = (*event)->occurred_at_ms();
  made.publisher = (*event)->publisher();
  made.subject = (*event)->subject();
  made.key = (*event)->key();
  for (std::size_t i = 0; i < (*event)->meta_count(); ++i)
    made.meta.emplace_back((*event)->meta_at(i));
  payload_reader reader(**event);
  auto good = catching(errc::malformed, [&] { copy_root(reader.payload(), made); });
  if (!good)
    return tl::unexpected(std::move(good.error()));
  return made;
}

expected<json_event> inbound_reader::read_any(const inbound_message& what) const {
  const auto type = media_type(what.content_type);
  if (is_binary(what))
    return read_binary(what);
  if (type == content_types::cloudevent)
    return read_text(what.body, json_form::cloudevents);
  if (type == content_types::cloudevents)
    return fail(errc::bad_json, "several CloudEvents in one message are not taken: send one each");
  if (type == content_types::capnp)
    return read_envelope(what);
  if (!how_.event.empty())
    return read_payload(what);
  const bool is_cloud = what.body.find("\"specversion\"") != what.body.npos;
  return read_text(what.body, is_cloud ? json_form::cloudevents : json_form::flattened);
}

void inbound_reader::add_origin(json_event& to, const inbound_message& what,
                                const envelope_header& own) const {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(to.meta, name, [](const auto& one) { return one.first; }) !=
           to.meta.end();
  };
  if (to.publisher && *to.publisher != own.publisher && !has(original_source))
    to.meta.emplace_back(original_source, std::string(json_names::urn) + to_string(*to.publisher));
  to.publisher = own.publisher;
  if (const auto via = header_of(what, via_header); !via.empty()) {
    std::erase_if(to.meta, [](const auto& one) { return one.first == via_meta; });
    to.meta.emplace_back(via_meta, via);
  }
  if (!to.id && !what.place.empty())
    to.id = make_foreign_event_id(where_, what.place);
  if (to.key.empty() && to.type->key_of == nullptr)
    to.key = what.key;
}

expected<envelope_ptr> inbound_reader::read(const inbound_message& what,
                                            const envelope_header& own) const {
  if (!how_.types)
    return fail(errc::unknown_schema,
                "the source was opened without `types`: no event has a schema here");
  auto found = read_any(what);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (found->type->name.starts_with('$'))
    return fail(errc::bad_topic, "event " + quote(found->type->name) +
                                     " is the runtime's own, and comes from nobody else");
  add_origin(*found, what, own);
  expected<envelope_ptr> made;
  auto good = catching(errc::malformed, [&] { made = to_envelope(*found, own, max_bytes_); });
  if (!good)
    return tl::unexpected(std::move(good.error()));
  return made;
}

} // namespace edupulse
