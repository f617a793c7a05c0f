#pragma once
// What the bodies of brokers' messages are, as mirrors say it and sources read it.

#include <string_view>

namespace edupulse::content_types {

inline constexpr std::string_view json = "application/json";
inline constexpr std::string_view capnp = "application/x-capnproto";
inline constexpr std::string_view cloudevent = "application/cloudevents+json"; ///< structured
inline constexpr std::string_view cloudevents = "application/cloudevents-batch+json";

} // namespace edupulse::content_types
