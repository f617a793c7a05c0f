#include "samples.hpp"
#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace edupulse::simulator {

namespace {

constexpr double steps = 200;
constexpr double least_step = 0.1;

double percentile(std::vector<double>& all, double share) {
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(all.size() - 1));
  std::nth_element(all.begin(), all.begin() + place, all.end());
  return all[static_cast<std::size_t>(place)];
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

// -- sampler ------------------------------------------------------------------------------

sampler::sampler(std::size_t nodes, double seconds)
    : nodes_(nodes), step_(std::max(least_step, seconds / steps)),
      all_(static_cast<std::size_t>(std::ceil(seconds / step_))), ages_(all_.size()) {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    all_[i].at = step_ * static_cast<double>(i + 1);
    all_[i].per_node.resize(nodes);
  }
}

run_report::sample* sampler::sample_at(double at) {
  const auto which = static_cast<std::size_t>(std::max(at, 0.0) / step_);
  return at < 0 || which >= all_.size() ? nullptr : &all_[which];
}

void sampler::published(double at, std::size_t node) {
  auto* to = sample_at(at);
  if (to == nullptr)
    return;
  to->all.published += 1 / step_;
  if (node < nodes_)
    to->per_node[node].published += 1 / step_;
}

void sampler::handled(double at, std::size_t node, std::optional<double> age_us) {
  auto* to = sample_at(at);
  if (to == nullptr)
    return;
  to->all.handled += 1 / step_;
  if (node < nodes_)
    to->per_node[node].handled += 1 / step_;
  if (age_us)
    ages_[static_cast<std::size_t>(to - all_.data())].push_back(*age_us);
}

void sampler::owed(const owed_at& what) {
  auto* to = sample_at(what.at);
  if (to == nullptr)
    return;
  to->all.backlog = 0;
  for (std::size_t node = 0; node < std::min(nodes_, what.by_node.size()); ++node) {
    to->per_node[node].backlog = static_cast<double>(what.by_node[node]);
    to->all.backlog += static_cast<double>(what.by_node[node]);
  }
}

std::vector<run_report::sample> sampler::take() {
  for (std::size_t i = 0; i < all_.size(); ++i)
    if (!ages_[i].empty())
      all_[i].latency = run_report::percentiles{
          percentile(ages_[i], 0.5), percentile(ages_[i], 0.99), percentile(ages_[i], 0.999)};
  return std::move(all_);
}

std::vector<run_report::sample> samples_of(std::vector<node_start>& starts,
                                           const std::vector<owed_at>& owed, std::size_t nodes,
                                           std::int64_t began_ns, double seconds) {
  sampler made(nodes, seconds);
  const auto published = times_of(starts);
  for (auto& start : starts)
    for (const auto& one : start.journal.all()) {
      const double at = static_cast<double>(one.at_ns - began_ns) / 1e9;
      if (one.kind == record_kind::published) {
        made.published(at, start.node);
      } else if (one.kind == record_kind::handled) {
        const auto from = published.find(one.id_low);
        made.handled(at, start.node,
                     from == published.end()
                         ? std::nullopt
                         : std::optional(static_cast<double>(one.at_ns - from->second) / 1000));
      }
    }
  for (const auto& one : owed)
    made.owed(one);
  return made.take();
}

// -- who saw whom --------------------------------------------------------------------------

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
  std::vector<bool> was_there(nodes);
  for (const auto& start : starts)
    if (start.begin_ns < began_ns)
      was_there[start.node] = true;
  std::vector<bool> came(nodes);
  for (const auto& start : starts) {
    // When the run began all that were there had met; who comes later tells what it sees.
    for (std::size_t who = 0; who < nodes && start.begin_ns < began_ns; ++who)
      if (was_there[who])
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
