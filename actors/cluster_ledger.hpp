#pragma once
// The ledgers of several nodes as one. Each event is counted by the node that published it and by
// no other, so the lines add up; what other nodes have received is left out.

#include "actors/ledger_view.hpp"
#include <string>
#include <vector>

namespace edupulse {

/// What one node has published, and what became of it. All subscriptions are named with their node:
/// "indexer@api-2".
struct node_ledger {
  std::string node;
  ledger_view published;
};

/// Value. A node that was not reached, or has died, takes what it has published out of the sum; it
/// is then named in `silent` as long as this node expects it back.
struct cluster_ledger {
  ledger_view sum;                 ///< no line of it is `received`
  std::vector<std::string> nodes;  ///< whose ledgers are in the sum
  std::vector<std::string> silent; ///< nodes that are known and did not answer in time
};

/// Lines of one topic and subscription become one line; all names are sorted.
cluster_ledger merge(std::vector<node_ledger>&& all, std::vector<std::string> silent);

} // namespace edupulse
