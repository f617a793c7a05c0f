#pragma once
// The one place of this program that asks what time it is.

#include <cstdint>
#include <edupulse/handler.hpp>

namespace edupulse::search {

inline time_point now() { return std::chrono::steady_clock::now(); }

/// The same in all processes of the machine.
inline std::int64_t now_ns() { return now().time_since_epoch().count(); }

} // namespace edupulse::search
