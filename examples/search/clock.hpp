#pragma once
// The one place of this program that asks what time it is.

#include <edupulse/handler.hpp>

namespace edupulse::search {

inline time_point now() { return std::chrono::steady_clock::now(); }

} // namespace edupulse::search
