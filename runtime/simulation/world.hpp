#pragma once
// What all nodes of a simulation share.

#include "runtime/simulation/network.hpp"
#include "runtime/simulation/record.hpp"
#include "runtime/simulation/timetable.hpp"
#include <functional>
#include <string>
#include <string_view>

namespace edupulse::simulation {

struct world {
  timetable time;
  network net;
  record seen;
  /// One line for each message in and effect out; the same seed gives the same lines. Empty: none.
  std::function<void(std::string_view line)> trace;

  explicit world(network::settings how) : net(time, how) {}
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  /// `words` makes the text, if anybody reads it.
  template <class F> void tell(std::string_view who, F words) const {
    if (trace)
      trace(std::to_string((time.now() - timetable::first_moment).count()) + ' ' +
            std::string(who) + ' ' + words());
  }
};

} // namespace edupulse::simulation
