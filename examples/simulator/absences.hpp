#pragma once
// When the nodes of a subscription, or of a group, were away for a publisher: believed dead, gone,
// or not there yet. What is published then is not owed to them.

#include "judge.hpp"
#include <cstdint>
#include <utility>
#include <vector>

namespace edupulse::simulator {

class absences {
public:
  /// `of_plugin`: a node that is started again is there before its plugins are.
  absences(const evidence& seen, const std::vector<std::size_t>& nodes, std::size_t publisher,
           bool of_plugin);

  /// To a group something is owed as long as one of its members is there.
  bool all_at(std::int64_t when_ns) const;

private:
  using times = std::vector<std::pair<std::int64_t, std::int64_t>>;
  static times of(const evidence& seen, std::size_t node, std::size_t publisher);

  std::vector<times> all_; ///< of each node
};

} // namespace edupulse::simulator
