#include "schemas/json.hpp"

#include "schemas/codec.hpp"
#include "schemas/json_names.hpp"
#include "schemas/json_payload.hpp"
#include "schemas/json_writer.hpp"
#include "schemas/payload_reader.hpp"
#include "schemas/rfc3339.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>
#include <optional>

namespace edupulse {

namespace {

/// `key` when it is not what the payload itself says.
bool key_is_extra(const envelope& what, const event_type& type, payload_reader& reader) {
  if (what.key().empty())
    return false;
  return type.key_of == nullptr || type.key_of(reader.payload()) != what.key();
}

/// The metadata that have no attribute of their own, as the text of a JSON object; or nothing.
std::string write_rest(const envelope& what) {
  std::optional<json_writer> rest;
  for (std::size_t i = 0; i < what.meta_count(); ++i) {
    const auto [name, value] = what.meta_at(i);
    if (!json_names::attribute_of(name).empty())
      continue;
    if (!rest)
      rest.emplace().begin_object();
    rest->member(name, value);
  }
  if (!rest)
    return {};
  rest->end_object();
  return rest->take();
}

/// `to(name, text)` for each attribute but the payload.
template <class To> void each_attribute(const envelope& what, std::string_view time,
                                        std::string_view content_type, To to) {
  to("specversion", "1.0");
  to("id", to_string(what.id()));
  to("source", std::string(json_names::urn) + to_string(what.publisher()));
  to("type", what.name());
  if (!what.subject().empty())
    to("subject", what.subject());
  to("time", time);
  to("datacontenttype", content_type);
  if (!what.key().empty())
    to("partitionkey", what.key());
  for (std::size_t i = 0; i < what.meta_count(); ++i) {
    const auto [name, value] = what.meta_at(i);
    if (const auto attribute = json_names::attribute_of(name); !attribute.empty())
      to(attribute, value);
  }
  if (const auto rest = write_rest(what); !rest.empty())
    to("edupulsemeta", rest);
}

expected<void> write_flat_meta(json_writer& out, const envelope& what, bool extra_key) {
  out.name("meta");
  out.begin_object();
  for (std::size_t i = 0; i < what.meta_count(); ++i) {
    const auto [name, value] = what.meta_at(i);
    if (name.starts_with('$'))
      return fail(errc::bad_json, "metadata " + quote(name) +
                                      " cannot be flattened: names with \"$\" are the form's own");
    out.member(name, value);
  }
  if (!what.subject().empty())
    out.member("$subject", what.subject());
  if (!what.publisher().value.is_nil())
    out.member("$publisher", to_string(what.publisher()));
  if (extra_key)
    out.member("$key", what.key());
  out.end_object();
  return {};
}

/// Throws what Cap'n Proto throws on a payload that cannot be read.
expected<std::string> write(const envelope& what, json_form form, const event_type& type,
                            const std::string& time) {
  payload_reader reader(what);
  const auto fields = reader.as<capnp::DynamicStruct>(type.schema());
  json_writer out;
  out.begin_object();
  if (form == json_form::cloudevents) {
    each_attribute(what, time, "application/json",
                   [&](std::string_view name, std::string_view text) { out.member(name, text); });
    out.name("data");
    out.object(fields);
  } else {
    out.member("id", to_string(what.id()));
    out.member("name", what.name());
    out.member("occurred_at", time);
    if (auto good = write_flat_meta(out, what, key_is_extra(what, type, reader)); !good)
      return tl::unexpected(std::move(good.error()));
    out.members(fields);
  }
  out.end_object();
  return out.take();
}

/// What describes the payload of `what`: `type` where it is given.
expected<const event_type*> described_by(const envelope& what, const event_type* type) {
  type = type != nullptr ? type : what.type();
  if (type == nullptr)
    return fail(errc::unknown_schema,
                "the schema of event " + quote(what.name()) + " is needed to write it as JSON");
  if (type->name != what.name() || type->schema_id != what.schema_id())
    return fail(errc::wrong_type, "the event is " + quote(what.name()) + ", and " +
                                      quote(type->name) + " was given to write it as JSON");
  return type;
}

expected<std::string> time_of(const envelope& what) {
  if (auto time = to_rfc3339(what.occurred_at_ms()))
    return std::move(*time);
  return fail(errc::bad_json, "the time of the event is outside the years 0 to 9999");
}

error not_utf8(const envelope& what) {
  return {errc::bad_json, "event " + to_string(what.id()) + " has text that is not UTF-8"};
}

} // namespace

expected<std::string> to_json(const envelope& what, json_form form, const event_type* type) {
  const auto described = described_by(what, type);
  if (!described)
    return tl::unexpected(described.error());
  if (form == json_form::flattened)
    if (auto ok = json_names::refuse_clash(**described); !ok)
      return tl::unexpected(std::move(ok.error()));
  const auto time = time_of(what);
  if (!time)
    return time;

  expected<std::string> text;
  if (auto ok = catching(errc::bad_json, [&] { text = write(what, form, **described, *time); });
      !ok)
    return tl::unexpected(std::move(ok.error()));
  if (text && !is_utf8(*text))
    return tl::unexpected(not_utf8(what));
  return text;
}

expected<cloud_attributes> to_cloud_attributes(const envelope& what, std::string content_type) {
  auto time = time_of(what);
  if (!time)
    return tl::unexpected(std::move(time.error()));
  cloud_attributes all;
  each_attribute(what, *time, content_type, [&](std::string_view name, std::string_view text) {
    all.emplace_back(name, text);
  });
  if (!std::ranges::all_of(all, [](const auto& one) { return is_utf8(one.second); }))
    return tl::unexpected(not_utf8(what));
  return all;
}

expected<std::string> payload_to_json(const envelope& what, const event_type* type) {
  const auto described = described_by(what, type);
  if (!described)
    return tl::unexpected(described.error());
  expected<std::string> text;
  auto ok = catching(errc::bad_json, [&] {
    payload_reader reader(what);
    text = write_payload_json(reader.as<capnp::DynamicStruct>((*described)->schema()));
  });
  if (!ok)
    return tl::unexpected(std::move(ok.error()));
  return text;
}

} // namespace edupulse
