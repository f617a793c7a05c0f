#pragma once
// The names of the two JSON forms, for their writer and their reader. See json.hpp.

#include "schemas/envelope.hpp"
#include <algorithm>
#include <array>
#include <string_view>

namespace edupulse::json_names {

inline constexpr std::array<std::string_view, 4> flat = {"id", "name", "occurred_at", "meta"};

inline constexpr std::array<std::string_view, 12> cloud = {
    "specversion",     "id",         "source", "type",        "subject",      "time",
    "datacontenttype", "dataschema", "data",   "data_base64", "partitionkey", "edupulsemeta"};

inline constexpr std::string_view urn = "urn:uuid:";

template <class Names> bool contains(const Names& names, std::string_view name) noexcept {
  return std::ranges::find(names, name) != names.end();
}

/// The extension attribute of a metadata name, or empty: then it belongs into `edupulsemeta`.
std::string_view attribute_of(std::string_view meta_name) noexcept;
std::string_view meta_of(std::string_view attribute) noexcept;

/// Errors: `bad_json`, when a field of the payload has a name that the flattened form uses itself.
expected<void> refuse_clash(const event_type& type);

} // namespace edupulse::json_names
