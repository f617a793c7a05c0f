#include "units.hpp"

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
      all.push_back({one.name + " (group " + one.group + ")", handler, nodes, true});
      continue;
    }
    for (const auto node : nodes)
      all.push_back({one.name + "@" + name_of(node), handler, {node}, false});
  }
  return all;
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
