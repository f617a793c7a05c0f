#pragma once
// What this code was built with.

#include <capnp/common.h>
#include <edupulse/version.hpp>
#include <string>

namespace edupulse::control {

inline constexpr const char* own_version = EDUPULSE_VERSION;
#ifdef __clang__
inline constexpr const char* own_compiler = "clang " __clang_version__;
#else
inline constexpr const char* own_compiler = "gcc " __VERSION__;
#endif

inline std::string own_capnp() {
  return std::to_string(CAPNP_VERSION_MAJOR) + "." + std::to_string(CAPNP_VERSION_MINOR) + "." +
         std::to_string(CAPNP_VERSION_MICRO);
}

} // namespace edupulse::control
