#pragma once
// What is believed of a member of the cluster.

#include <cstdint>
#include <string_view>

namespace edupulse {

enum class member_state : std::uint8_t {
  alive,
  suspect, ///< does not answer; it will be alive again, or dead
  dead,    ///< believed to be gone; tried again from time to time
  left,    ///< said goodbye
};
std::string_view to_string(member_state state) noexcept;

} // namespace edupulse
