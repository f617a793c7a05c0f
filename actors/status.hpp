#pragma once
// How subscriptions and topics are doing, for people and programs.

#include "actors/ledger_view.hpp"
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edupulse {

struct subscription_status {
  std::string name;
  std::string filter;
  std::string scope; ///< empty: a scope of its own
  /// running, paused, unavailable, stalled, quarantined, backing_off or ending
  std::string state;
  std::uint64_t pending = 0;   ///< events owed and not concluded
  std::uint64_t in_flight = 0; ///< of them, with a handler or deferred
  std::uint64_t restarts = 0;  ///< of its handlers, since it was subscribed
  std::string group{};         ///< empty: none
};

/// A subscription of any node of the cluster.
struct cluster_subscription {
  std::string name;
  std::string node; ///< the name of the one it is on
  std::string filter;
  std::string group{}; ///< empty: none
};

/// A topic, and how many subscriptions match it now; a group is one.
struct topic_status : ledger_topic {
  std::size_t subscriptions = 0;
};

/// Value. What only a silent node has published is not among the topics.
struct cluster_topics {
  std::vector<topic_status> topics; ///< by name; the counts are those of all nodes together
  std::vector<std::string> nodes;   ///< who answered
  std::vector<std::string> silent;  ///< nodes that are known and did not answer in time
};

} // namespace edupulse
