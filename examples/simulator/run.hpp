#pragma once
// One run of a plan with processes: from the first start to the verdict.

#include "interrupt.hpp"
#include "plan.hpp"
#include "report.hpp"

namespace edupulse::simulator {

struct run_settings {
  std::vector<std::string> arguments{}; ///< of this program: its nodes read the plan from them
  bool quiet = false;
};

/// Errors: `io` when nodes cannot be started; `stopping` before anything has begun. A run that was
/// interrupted has a report all the same, which says so.
expected<run_report> run_processes(const plan& what, const run_settings& how,
                                   const search::interrupt& stop);

} // namespace edupulse::simulator
