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
  /// While it is `unavailable`: what its handler said about that last.
  std::string why{};
};

/// A subscription of any node of the cluster.
struct cluster_subscription {
  std::string name;
  std::string node; ///< the name of the one it is on
  std::string filter;
  std::string group{}; ///< empty: none
};

/// What one subscription is owed by this node, and how much of it there may be.
struct backlog_status {
  std::string name; ///< of another node: "indexer@api-2"
  bool is_remote = false;
  std::size_t events = 0;
  std::size_t bytes = 0;
  std::size_t most_events = 0; ///< of the backlog; publishers are held up from there on
  std::size_t most_bytes = 0;
  std::size_t in_flight = 0; ///< of the events: with a handler, or sent and not concluded
  std::size_t credit = 0;    ///< of a remote one: that many may be in flight
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
