#pragma once

#include <cstdlib>

namespace edupulse::fuzz {

/// Not `assert`: it must hold in every build.
inline void must(bool good) {
  if (!good)
    std::abort();
}

} // namespace edupulse::fuzz
