#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace edupulse::simulator {

/// What a node says of its work, a few times a second. Published is read before owed.
struct work_report {
  std::int64_t at_ns = 0; ///< when the node began to count, by the machine's monotonic clock
  std::uint64_t published = 0;
  std::uint64_t owed = 0; ///< of what it published itself, to anybody
};

/// Tells when all nodes are at rest. That each has said once that it owes nothing is no proof: a
/// handler that publishes may have done so between two nodes' words. Two rounds are one, the second
/// of reports that were begun after the whole first was heard, with nothing owed in either and
/// nothing published in between (Mattern, "Algorithms for distributed termination detection", 1987,
/// the four counters). A plain value; not for several threads.
class rest_watch {
public:
  /// Call with the newest report of every node that runs, and the clock.
  bool is_at_rest(std::int64_t now_ns, std::span<const work_report> all);

private:
  std::int64_t begun_ns_ = 0;              ///< the round; 0: at the first look
  std::vector<std::uint64_t> published_{}; ///< as of the round before; empty: there was none
};

} // namespace edupulse::simulator
