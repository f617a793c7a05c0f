#pragma once
// One run of a plan in virtual time: the cores of all nodes in this thread, one seed, no socket and
// no clock. The same seed gives the same run, to the byte.

#include "interrupt.hpp"
#include "plan.hpp"
#include "report.hpp"
#include <functional>

namespace edupulse::simulator {

struct virtual_settings {
  /// Every message in and effect out, a line each.
  std::function<void(std::string_view)> trace{};
};

run_report run_virtual(const plan& what, const virtual_settings& how,
                       const search::interrupt& stop);

/// The fewest faults of a plan that fails with which it still fails: each is left out once, and
/// stays out if the run fails without it.
plan shrunk(const plan& failing, const search::interrupt& stop);

} // namespace edupulse::simulator
