#include "samples.hpp"
#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace edupulse::simulator {

namespace {

constexpr double steps = 200;
constexpr double least_step = 0.1;

double microseconds(std::int64_t ns) { return static_cast<double>(ns) / 1000; }

std::optional<run_report::percentiles> percentiles_of(std::vector<std::int64_t>& all) {
  if (all.empty())
    return {};
  const auto at = [&](double share) {
    const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(all.size() - 1));
    std::nth_element(all.begin(), all.begin() + place, all.end());
    return microseconds(all[static_cast<std::size_t>(place)]);
  };
  return run_report::percentiles{at(0.5), at(0.99), at(0.999)};
}

using publish_times = std::unordered_map<std::uint64_t, std::int64_t>; ///< by the id's low half

publish_times times_of(std::vector<node_start>& starts) {
  publish_times all;
  for (auto& start : starts)
    for (const auto& one : start.journal.all())
      if (one.kind == record_kind::published)
        all.emplace(one.id_low, one.at_ns);
  return all;
}

} // namespace

std::vector<run_report::sample> samples_of(std::vector<node_start>& starts,
                                           const std::vector<owed_at>& owed, std::size_t nodes,
                                           std::int64_t began_ns, double seconds) {
  const double step = std::max(least_step, seconds / steps);
  const auto count = static_cast<std::size_t>(std::ceil(seconds / step));
  std::vector<run_report::sample> all(count);
  std::vector<std::vector<std::int64_t>> ages(count);
  for (std::size_t i = 0; i < count; ++i) {
    all[i].at = step * static_cast<double>(i + 1);
    all[i].per_node.resize(nodes);
  }
  const auto step_of = [&](std::int64_t at) -> std::optional<std::size_t> {
    const double passed = static_cast<double>(at - began_ns) / 1e9;
    const auto which = static_cast<std::size_t>(std::max(passed, 0.0) / step);
    return passed < 0 || which >= count ? std::nullopt : std::optional(which);
  };
  const auto published = times_of(starts);
  for (auto& start : starts)
    for (const auto& one : start.journal.all()) {
      const auto which = step_of(one.at_ns);
      if (!which || (one.kind != record_kind::published && one.kind != record_kind::handled))
        continue;
      auto& at = all[*which];
      const bool is_new = one.kind == record_kind::published;
      (is_new ? at.all.published : at.all.handled) += 1 / step;
      (is_new ? at.per_node[start.node].published : at.per_node[start.node].handled) += 1 / step;
      if (const auto from = published.find(one.id_low); !is_new && from != published.end())
        ages[*which].push_back(one.at_ns - from->second);
    }
  for (const auto& one : owed)
    if (const auto which = step_of(one.at_ns)) {
      all[*which].all.backlog = 0;
      for (std::size_t node = 0; node < nodes; ++node) {
        all[*which].per_node[node].backlog = static_cast<double>(one.by_node[node]);
        all[*which].all.backlog += static_cast<double>(one.by_node[node]);
      }
    }
  for (std::size_t i = 0; i < count; ++i)
    all[i].latency = percentiles_of(ages[i]);
  return all;
}

std::vector<run_report::sighting> sightings_of(const std::vector<sighting>& seen,
                                               const std::vector<node_start>& starts,
                                               std::size_t nodes, std::int64_t began_ns) {
  using state = run_report::member_state;
  std::vector<run_report::sighting> all;
  const auto seconds = [&](std::int64_t at) {
    return std::max(0.0, static_cast<double>(at - began_ns) / 1e9);
  };
  const auto add = [&](std::int64_t at, std::size_t by, std::size_t who, state what) {
    all.push_back({seconds(at), name_of(by), name_of(who), what});
  };
  std::vector<bool> came(nodes);
  for (const auto& start : starts) {
    // When the run began all that were there had met; who comes later tells what it sees.
    for (std::size_t who = 0; who < nodes && start.begin_ns < began_ns; ++who)
      if (starts.size() > who)
        add(start.begin_ns, start.node, who, state::alive);
    if (start.begin_ns >= began_ns) {
      if (!came[start.node])
        all.push_back({0, name_of(start.node), name_of(start.node), state::down});
      add(start.begin_ns, start.node, start.node, state::alive);
    }
    came[start.node] = true;
    if (start.end_ns)
      add(*start.end_ns, start.node, start.node, state::down);
  }
  for (const auto& one : seen)
    add(one.at_ns, one.by, one.who, one.state);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return all;
}

} // namespace edupulse::simulator
