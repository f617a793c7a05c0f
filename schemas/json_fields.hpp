#pragma once
// The members of a JSON object around a payload: texts, ids and times, and what is said of those
// that are something else.

#include "schemas/error.hpp"
#include "schemas/ids.hpp"
#include <capnp/compat/json.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edupulse::json_fields {

inline std::string_view view(capnp::Text::Reader text) noexcept {
  return {text.begin(), text.size()};
}

tl::unexpected<error> wrong(std::string_view field, std::string what);
tl::unexpected<error> wrong_kind(std::string_view field, std::string_view wanted,
                                 capnp::JsonValue::Reader found);

/// Nothing when it is absent, or null in the text.
std::optional<capnp::JsonValue::Builder> find(capnp::JsonValue::Builder object,
                                              std::string_view name);
/// Empty when it is absent.
expected<std::string> text_of(capnp::JsonValue::Builder object, std::string_view name);
expected<std::string> required_text(capnp::JsonValue::Builder object, std::string_view name);
expected<std::optional<std::int64_t>> time_of(capnp::JsonValue::Builder object,
                                              std::string_view name);
/// CloudEvents and older writers also have numbers and booleans where we have texts.
std::optional<std::string> scalar_text(capnp::JsonValue::Reader value);

template <class Id>
expected<std::optional<Id>> id_of(std::string_view name, std::string_view text) {
  if (text.empty())
    return std::optional<Id>{};
  const auto uuid = parse_uuid(text);
  if (!uuid)
    return wrong(name, uuid.error().text);
  return std::optional<Id>{Id{*uuid}};
}

} // namespace edupulse::json_fields
