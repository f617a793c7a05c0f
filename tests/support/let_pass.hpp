#pragma once
// Time for a router that a test plays the shell of.

#include "actors/router.hpp"
#include <algorithm>

namespace edupulse::test {

/// From deadline to deadline. `at` has a `core`, its time `now`, the effects it has `asked` for,
/// and `carry_out()` for them.
template <class Shell> void let_pass(duration time, Shell& at) {
  const auto until = at.now + time;
  for (auto due = at.core.next_deadline(); due && *due <= until; due = at.core.next_deadline()) {
    at.now = std::max(at.now, *due);
    at.core.on_wake(at.now, at.asked);
    at.carry_out();
  }
  at.now = until;
}

} // namespace edupulse::test
