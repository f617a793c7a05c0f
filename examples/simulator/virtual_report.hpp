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
  /// `unrest`: why it did not come to rest, or empty.
  run_report conclude(const simulation::verdict& found, const std::string& unrest, double seconds,
                      bool interrupted);

private:
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
  std::map<std::pair<std::string, std::string>, run_report::member_state> seen_;
};

} // namespace edupulse::simulator
