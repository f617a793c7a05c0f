#pragma once
// `SourceMalformed` as an event: written by hand, since applications may subscribe to names that
// begin with `$` and not declare any.

#include "schemas/event_traits.hpp"
#include "schemas/source.capnp.h"

namespace edupulse {

template <> struct event_traits<SourceMalformed> {
  static constexpr bool is_event = true;
  static constexpr std::string_view name = "$source.malformed";
  static constexpr std::uint16_t version = 1;
  static constexpr bool has_key = false;
  static const event_type& type() noexcept { return type_; }

private:
  static const event_type type_;
};

inline constexpr event_type event_traits<SourceMalformed>::type_{
    name, version, capnp::typeId<SourceMalformed>(), &struct_schema<SourceMalformed>, "", nullptr};

} // namespace edupulse
