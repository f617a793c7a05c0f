#pragma once
// What a run looked like over time.

#include "cluster.hpp"
#include "event_index.hpp"
#include "report.hpp"

namespace edupulse::simulator {

/// What each node had not delivered at a moment.
struct owed_at {
  double at = 0; ///< seconds
  std::vector<std::uint64_t> by_node{};
};

/// Makes rates, backlogs and percentiles of what it is told, in any order, in about two hundred
/// steps. Times are seconds; what lies outside of the run does not count.
class sampler {
public:
  sampler(std::size_t nodes, double seconds);
  /// `node`: one that is not known (`nodes` or more) counts in the sum alone.
  void published(double at, std::size_t node);
  void handled(double at, std::size_t node, std::optional<double> age_us);
  void owed(const owed_at& what);
  std::vector<run_report::sample> take();

private:
  run_report::sample* sample_at(double at);

  std::size_t nodes_;
  double step_;
  std::vector<run_report::sample> all_;
  std::vector<std::vector<double>> ages_;
};

/// Of journals.
std::vector<run_report::sample> samples_of(std::vector<node_start>& starts,
                                           const std::vector<owed_at>& owed, std::size_t nodes,
                                           std::int64_t began_ns, double seconds);

/// Who saw whom how, and when processes were not there, by time.
std::vector<run_report::sighting> sightings_of(const std::vector<sighting>& seen,
                                               const std::vector<node_start>& starts,
                                               std::size_t nodes, std::int64_t began_ns);

} // namespace edupulse::simulator
