#include "units.hpp"
#include "runtime/simulation/record.hpp"

namespace edupulse::simulator {

std::vector<unit> units_of(const plan& what) {
  std::vector<unit> all;
  for (std::size_t handler = 0; handler < what.handlers.size(); ++handler) {
    const auto& one = what.handlers[handler];
    std::vector<std::size_t> nodes;
    for (std::size_t at = 0; at < what.nodes; ++at)
      if (one.runs_on(at))
        nodes.push_back(at);
    if (!one.group.empty()) {
      all.push_back({one.name + " (group " + one.group + ")", handler, nodes, true, one.of_plugin});
      continue;
    }
    for (const auto node : nodes)
      all.push_back({one.name + "@" + name_of(node), handler, {node}, false, one.of_plugin});
  }
  return all;
}

std::size_t records_needed(const plan& what, std::size_t node) {
  constexpr std::size_t spare = 20'000;
  std::size_t handlers = 0;
  for (const auto& each : what.handlers)
    handlers += each.runs_on(node);
  std::uint64_t of_plugins = 0;
  std::uint64_t own = node < what.publishers ? 3 * what.events : 0;
  for (const auto& each : what.plugins)
    if (!each.manifest.publishes.empty()) {
      const auto made = what.events * each.manifest.handlers.size();
      of_plugins += made * (each.nodes.empty() ? what.nodes : each.nodes.size());
      own += each.runs_on(node) ? 2 * made : 0;
    }
  return spare + 2 * (what.events + of_plugins) * handlers + own;
}

interests::interests(const plan& what) {
  for (const auto& one : what.handlers)
    filters_.push_back(simulation::read_filter(one.filter).value());
}

std::uint64_t interests::in(std::string_view topic) const {
  std::uint64_t all = 0;
  for (std::size_t handler = 0; handler < filters_.size(); ++handler)
    all |= std::uint64_t{filters_[handler].matches(topic)} << handler;
  return all;
}

std::uint64_t interests::in(const event_type& type, std::string_view subject) const {
  return subject.empty() ? in(type.name) : in(std::string(type.name) + "." + std::string(subject));
}

account account_of(const plan& what, const unit& which, const node_start& from) {
  account sum;
  const auto& handler = what.handlers[which.handler].name;
  for (const auto& row : from.said->rows)
    for (const auto node : which.nodes)
      if (row.subscription == handler + "@" + name_of(node)) {
        sum.published += row.published;
        sum.dead += row.dead;
        sum.expired += row.expired;
        sum.pending += row.pending;
        for (const auto& [why, count] : row.dropped)
          if (why != "reassigned")
            sum.dropped += count;
          else
            sum.published -= count; // somebody else of the group is owed it
      }
  return sum;
}

} // namespace edupulse::simulator
