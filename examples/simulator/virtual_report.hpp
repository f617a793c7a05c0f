#pragma once
// What is seen of a cluster in virtual time, as a report.

#include "plan.hpp"
#include "report.hpp"
#include "runtime/simulation/cluster.hpp"
#include "samples.hpp"

namespace edupulse::simulator {

class virtual_watch {
public:
  virtual_watch(const plan& what, const simulation::cluster& all) : plan_(what), all_(all) {}

  void begin(time_point now) { began_ = now; }
  double next_look() const noexcept { return next_look_; }
  /// Notes who sees whom, and what is owed.
  void look(double seconds);
  /// `unrest`: why it did not come to rest, or empty; `untried`: what could not be checked.
  run_report conclude(const simulation::verdict& found, const std::string& unrest, double seconds,
                      bool interrupted, std::vector<std::string> untried);

private:
  void look_at_view(double seconds, std::size_t at);
  void note(double seconds, std::size_t by, std::size_t who, run_report::member_state what);
  void add_samples(run_report& to, double seconds) const;
  void add_ledger(run_report& to) const;
  void add_verdict(run_report& to, const simulation::verdict& found,
                   const std::string& unrest) const;

  const plan& plan_;
  const simulation::cluster& all_;
  time_point began_{};
  double next_look_ = 0;
  std::vector<owed_at> owed_;
  std::vector<run_report::sighting> sightings_;
  std::map<node_id, std::size_t> places_; ///< the latest there
  /// Of each node: its start, and how many changes of members it had seen.
  std::vector<std::pair<simulation::start_number, std::uint64_t>> looked_;
  std::map<std::pair<std::size_t, std::size_t>, run_report::member_state> seen_;
};

} // namespace edupulse::simulator
