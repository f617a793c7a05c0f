#pragma once
// What a run looked like over time.

#include "cluster.hpp"
#include "event_index.hpp"
#include "report.hpp"

namespace edupulse::simulator {

/// What a node was owed to others at a moment, as it said.
struct owed_at {
  std::int64_t at_ns = 0;
  std::vector<std::uint64_t> by_node{};
};

/// Rates, backlogs and percentiles in about two hundred steps.
std::vector<run_report::sample> samples_of(std::vector<node_start>& starts,
                                           const std::vector<owed_at>& owed, std::size_t nodes,
                                           std::int64_t began_ns, double seconds);

/// Who saw whom how, and when processes were not there, by time.
std::vector<run_report::sighting> sightings_of(const std::vector<sighting>& seen,
                                               const std::vector<node_start>& starts,
                                               std::size_t nodes, std::int64_t began_ns);

} // namespace edupulse::simulator
