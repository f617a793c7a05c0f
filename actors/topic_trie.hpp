#pragma once
// The filters of all subscriptions, as a tree of tokens: a topic walks down it and meets exactly
// the filters that match. Ten thousand filters cost a topic no more than the few branches it shares
// with them; asking every filter costs all of them.

#include "schemas/topic.hpp"
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

class topic_trie {
public:
  /// Linear in the tokens of the filter. The same pair twice is kept once.
  void insert(const topic_filter& filter, std::uint32_t subscriber);
  /// Forgets a pair that was inserted, and the branch if nothing else needs it.
  void erase(const topic_filter& filter, std::uint32_t subscriber);
  /// Appends the subscribers of every filter that matches `topic`: those of one filter in rising
  /// order, and a subscriber once for each of its filters. `topic` must be valid.
  void collect(std::string_view topic, std::vector<std::uint32_t>& into) const;
  bool empty() const noexcept { return root_.useless(); }

private:
  using subscriber_list = std::vector<std::uint32_t>; // rising, each once

  struct node {
    std::map<std::string, std::unique_ptr<node>, std::less<>> children; // "*" among them
    subscriber_list ends_here;      // filters that are the path to this node
    subscriber_list below;          // the path and ".>"
    subscriber_list here_and_below; // name_and_below of the path

    bool useless() const noexcept {
      return children.empty() && ends_here.empty() && below.empty() && here_and_below.empty();
    }
  };

  struct place { // where in the tree a filter is kept
    std::size_t depth;
    subscriber_list node::*list;
  };
  static place place_of(const topic_filter& filter);
  static void erase_below(node& at, const topic_filter& filter, std::size_t depth,
                          const place& where, std::uint32_t subscriber);
  static void walk(const node& at, std::string_view rest, bool first, subscriber_list& into);

  node root_;
};

} // namespace edupulse
