#pragma once
// What becomes of a member that attacks.

#include "tests/support/attacked.hpp"
#include "tests/support/raw_peer.hpp"

namespace edupulse::test {

/// A member, of that number, whose attack costs it its session; and that is counted.
template <class F> void ends_session(attacked& at, std::uint64_t number, F attack) {
  const auto cut = at.count("sessions.cut");
  rogue_member who(at.a.address(), number);
  attack(who);
  who.control.read_to_end();
  who.bulk.read_to_end();
  CHECK(at.count("sessions.cut") == cut + 1);
}

} // namespace edupulse::test
