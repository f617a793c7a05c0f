#pragma once
// `MemberChanged` as an event: written by hand, since applications may subscribe to names that
// begin with `$` and not declare any.

#include "schemas/event_traits.hpp"
#include "schemas/member.capnp.h"

namespace edupulse {

template <> struct event_traits<MemberChanged> {
  static constexpr bool is_event = true;
  static constexpr std::string_view name = "$cluster.member";
  static constexpr std::uint16_t version = 1;
  static constexpr bool has_key = true;
  static text_key key(const MemberChanged::Reader& event) {
    const auto key = event.getNodeId();
    return {{key.begin(), key.size()}};
  }
  static const event_type& type() noexcept { return type_; }

private:
  static const event_type type_;
};

inline constexpr event_type event_traits<MemberChanged>::type_{name,
                                                               version,
                                                               capnp::typeId<MemberChanged>(),
                                                               &struct_schema<MemberChanged>,
                                                               "nodeId",
                                                               &key_of_payload<MemberChanged>};

} // namespace edupulse
