#pragma once
// Decides from what the nodes of a run noted whether the promises were kept.
//
//   lost        an event that was accepted was never handled, and no ledger says why
//   duplicated  one start of a subscription handled an event twice
//   reordered   the first handling of an event came before that of an earlier one of its key
//   phantom     something was handled that was not published, or with another key or payload
//   unbalanced  a ledger's numbers do not add up, or something is still owed at the end
//   dead, dropped   unless the scenario allows them
//   gap         more, or nothing, was told as missed of what was dropped
//
// An event is owed to a subscription unless its publisher believed the subscription's node dead, or
// gone, when it was published, or the node had not come yet.

#include "cluster.hpp"
#include "plan.hpp"
#include "report.hpp"

namespace edupulse::simulator {

inline constexpr std::int64_t second_ns = 1'000'000'000;

struct evidence {
  const plan& what;
  std::vector<node_start>& starts;
  const std::vector<sighting>& sightings;
  std::int64_t began_ns;
  std::vector<std::string> troubles; ///< a process that crashed, a question without an answer
  bool whole = true;                 ///< at the end all saw all
};

/// Fills in the verdict, the ledger and the dead letters.
void judge(const evidence& seen, run_report& into);

} // namespace edupulse::simulator
