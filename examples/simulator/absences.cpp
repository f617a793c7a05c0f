#include "absences.hpp"
#include <algorithm>
#include <optional>

namespace edupulse::simulator {

namespace {

/// After a node is believed alive again its subscriptions are announced anew.
constexpr std::int64_t announced_within = 3 * second_ns;

} // namespace

absences::absences(const evidence& seen, const std::vector<std::size_t>& nodes,
                   std::size_t publisher, bool of_plugin) {
  for (const auto node : nodes) {
    all_.push_back(of(seen, node, publisher));
    for (const auto& one : seen.starts)
      if (of_plugin && one.node == node && node != publisher && one.begin_ns > seen.began_ns)
        all_.back().emplace_back(one.begin_ns, one.begin_ns + announced_within);
  }
}

absences::times absences::of(const evidence& seen, std::size_t node, std::size_t publisher) {
  times windows;
  if (node == publisher)
    return windows;
  const auto first = std::find_if(seen.starts.begin(), seen.starts.end(),
                                  [&](const node_start& one) { return one.node == node; });
  if (first == seen.starts.end())
    return {{0, INT64_MAX}};
  if (first->begin_ns > seen.began_ns)
    windows.emplace_back(0, first->begin_ns + announced_within + 2 * second_ns);
  std::optional<std::int64_t> since;
  for (const auto& one : seen.sightings) {
    if (one.by != publisher || one.who != node)
      continue;
    const bool gone =
        one.state == run_report::member_state::dead || one.state == run_report::member_state::left;
    if (gone && !since)
      since = one.at_ns - second_ns / 10; // it is noted a moment later
    else if (!gone && one.state != run_report::member_state::suspect && since)
      windows.emplace_back(*std::exchange(since, {}), one.at_ns + announced_within);
  }
  if (since)
    windows.emplace_back(*since, INT64_MAX);
  return windows;
}

bool absences::all_at(std::int64_t when_ns) const {
  return std::all_of(all_.begin(), all_.end(), [&](const times& windows) {
    return std::any_of(windows.begin(), windows.end(), [&](const auto& one) {
      return when_ns >= one.first && when_ns <= one.second;
    });
  });
}

} // namespace edupulse::simulator
