#include "schemas/json_names.hpp"

#include <capnp/schema.h>
#include <string>
#include <utility>

namespace edupulse::json_names {

namespace {

/// Metadata that CloudEvents has names for.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> renamed = {
    {{"correlation-id", "correlationid"}, {"causation-id", "causationid"}}};

bool is_attribute_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 20 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

} // namespace

std::string_view attribute_of(std::string_view meta_name) noexcept {
  for (const auto& [ours, theirs] : renamed) {
    if (meta_name == ours)
      return theirs;
    if (meta_name == theirs) // would come back as the other one
      return {};
  }
  return is_attribute_name(meta_name) && !contains(cloud, meta_name) ? meta_name
                                                                     : std::string_view{};
}

std::string_view meta_of(std::string_view attribute) noexcept {
  for (const auto& [ours, theirs] : renamed)
    if (attribute == theirs)
      return ours;
  return attribute;
}

expected<void> refuse_clash(const event_type& type) {
  const capnp::StructSchema schema = type.schema();
  for (const std::string_view name : flat)
    if (schema.findFieldByName(capnp::Text::Reader(name.data(), name.size())) != nullptr)
      return fail(errc::bad_json, "event " + quote(type.name) + " has a field " + quote(name) +
                                      ", which the flattened form uses itself: use CloudEvents");
  return {};
}

} // namespace edupulse::json_names
