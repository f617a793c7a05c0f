#include "actors/cluster_ledger.hpp"
#include <algorithm>
#include <map>
#include <utility>

namespace edupulse {

cluster_ledger merge(std::vector<node_ledger>&& all, std::vector<std::string> silent) {
  cluster_ledger whole;
  std::map<std::string, ledger_topic> topics;
  std::map<std::pair<std::string, std::string>, ledger_line> lines;
  for (auto& one : all) {
    whole.nodes.push_back(std::move(one.node));
    for (const auto& topic : one.published.topics) {
      auto& to = topics[topic.topic];
      to.published += topic.published;
      to.no_subscriber += topic.no_subscriber;
    }
    for (const auto& line : one.published.lines) {
      auto& to = lines[{line.topic, line.subscription}];
      to += line;
      to.pending += line.pending;
    }
  }
  for (auto& [name, topic] : topics) {
    topic.topic = name;
    whole.sum.topics.push_back(std::move(topic));
  }
  for (auto& [names, line] : lines) {
    line.topic = names.first;
    line.subscription = names.second;
    whole.sum.lines.push_back(std::move(line));
  }
  whole.silent = std::move(silent);
  std::sort(whole.nodes.begin(), whole.nodes.end());
  std::sort(whole.silent.begin(), whole.silent.end());
  return whole;
}

} // namespace edupulse
