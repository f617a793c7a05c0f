#pragma once
// What two binaries must have in common before C++ objects may pass between them. A plugin carries
// the text that its compiler saw; a node refuses one that differs from its own.

#include <caf/config.hpp> // macros only: which CAF it is
#include <capnp/common.h>
#include <cstdint>
#include <edupulse/version.hpp>
#include <string_view>

/// Counts the changes of what crosses between a node and a plugin: the tables of
/// "edupulse/plugin_description.hpp", `handler`, `context`, `envelope`, `outcome`.
#define EDUPULSE_PLUGIN_ABI 1

// NOLINTBEGIN(cppcoreguidelines-macro-usage): texts are joined by the preprocessor
#define EDUPULSE_TEXT_OF(x) EDUPULSE_TEXT_OF_(x)
#define EDUPULSE_TEXT_OF_(x) #x
#if defined(__clang__)
#define EDUPULSE_COMPILER "clang " EDUPULSE_TEXT_OF(__clang_major__)
#else
#define EDUPULSE_COMPILER "gcc " EDUPULSE_TEXT_OF(__GNUC__)
#endif
#if defined(__SANITIZE_ADDRESS__)
#define EDUPULSE_SANITIZER " asan"
#elif defined(__SANITIZE_THREAD__)
#define EDUPULSE_SANITIZER " tsan"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDUPULSE_SANITIZER " asan"
#elif __has_feature(thread_sanitizer)
#define EDUPULSE_SANITIZER " tsan"
#endif
#endif
#ifndef EDUPULSE_SANITIZER
#define EDUPULSE_SANITIZER ""
#endif
#if defined(__x86_64__)
#define EDUPULSE_MACHINE "x86_64"
#elif defined(__aarch64__)
#define EDUPULSE_MACHINE "aarch64"
#else
#define EDUPULSE_MACHINE "other"
#endif
#define EDUPULSE_LIBRARY                                                                           \
  "libstdc++ " EDUPULSE_TEXT_OF(_GLIBCXX_RELEASE) ", c++11 abi " EDUPULSE_TEXT_OF(                 \
      _GLIBCXX_USE_CXX11_ABI)
#define EDUPULSE_CAPNP_VERSION                                                                     \
  EDUPULSE_TEXT_OF(CAPNP_VERSION_MAJOR)                                                            \
  "." EDUPULSE_TEXT_OF(CAPNP_VERSION_MINOR) "." EDUPULSE_TEXT_OF(CAPNP_VERSION_MICRO)
#define EDUPULSE_FINGERPRINT                                                                       \
  EDUPULSE_COMPILER EDUPULSE_SANITIZER                                                             \
      "; " EDUPULSE_MACHINE "; " EDUPULSE_LIBRARY                                                  \
      "; caf " EDUPULSE_TEXT_OF(CAF_VERSION) "; capnp " EDUPULSE_CAPNP_VERSION                     \
                                             "; edupulse " EDUPULSE_VERSION                        \
                                             ", abi " EDUPULSE_TEXT_OF(EDUPULSE_PLUGIN_ABI)
// NOLINTEND

namespace edupulse {

inline constexpr std::uint32_t plugin_abi = EDUPULSE_PLUGIN_ABI;

/// Parts between semicolons, so that a refusal can say which of them differ.
inline constexpr std::string_view plugin_fingerprint = EDUPULSE_FINGERPRINT;

} // namespace edupulse
