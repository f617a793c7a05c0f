#include "schemas/json_fields.hpp"

#include "schemas/json_payload.hpp"
#include "schemas/rfc3339.hpp"
#include <cstdio>
#include <limits>

namespace edupulse::json_fields {

using json = capnp::JsonValue;

tl::unexpected<error> wrong(std::string_view field, std::string what) {
  return fail(errc::bad_json, "field " + quote(field) + ": " + std::move(what));
}

tl::unexpected<error> wrong_kind(std::string_view field, std::string_view wanted,
                                 json::Reader found) {
  return wrong(field,
               std::string(wanted) + " is expected, not " + std::string(kind_of_json(found)));
}

std::optional<json::Builder> find(json::Builder object, std::string_view name) {
  std::optional<json::Builder> found;
  for (auto member : object.getObject())
    if (view(member.getName().asReader()) == name)
      found = member.getValue(); // the last of several counts, as it does in the payload
  if (found && found->isNull())
    found.reset();
  return found;
}

expected<std::string> text_of(json::Builder object, std::string_view name) {
  const auto value = find(object, name);
  if (!value)
    return std::string{};
  if (!value->asReader().isString())
    return wrong_kind(name, "a string", value->asReader());
  return std::string(view(value->asReader().getString()));
}

expected<std::string> required_text(json::Builder object, std::string_view name) {
  auto text = text_of(object, name);
  if (text && text->empty())
    return wrong(name, "it is missing");
  return text;
}

expected<std::optional<std::int64_t>> time_of(json::Builder object, std::string_view name) {
  const auto value = find(object, name);
  if (!value)
    return std::optional<std::int64_t>{};
  if (!value->asReader().isString())
    return wrong_kind(name, "a time in quotes", value->asReader());
  const auto text = view(value->asReader().getString());
  const auto ms = parse_rfc3339(text);
  if (!ms)
    return wrong(name, quote(text) + " is no time such as \"2026-11-24T08:30:00.000Z\"");
  return ms;
}

std::optional<std::string> scalar_text(json::Reader value) {
  switch (value.which()) {
  case json::STRING:
    return std::string(view(value.getString()));
  case json::BOOLEAN:
    return value.getBoolean() ? "true" : "false";
  case json::NUMBER: {
    char text[32];
    std::snprintf(text, sizeof text, "%.*g", std::numeric_limits<double>::max_digits10 - 2,
                  value.getNumber());
    return text;
  }
  default:
    return std::nullopt;
  }
}

} // namespace edupulse::json_fields
