#pragma once
// Who wants which topics. A service publishes under few topics, again and again, so the answer for
// each is remembered: asking again costs a look into a table, and only the first time walks the
// tree of filters. Any change of the subscriptions forgets all answers.

#include "actors/topic_trie.hpp"
#include "schemas/topic.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace edupulse {

/// A set of subscribers. Equal sets are one object as long as nothing is forgotten, so that
/// comparing addresses finds events that go the same way.
struct route {
  std::vector<std::uint32_t> subscribers; ///< rising
};

/// One thread.
class subscriptions {
public:
  /// Answers remembered, and subscribers in all of them together. Full: all answers are forgotten,
  /// which is counted (`cache_counts::cleared`) and costs each topic a walk.
  static constexpr std::size_t max_cached_topics = 8192;
  static constexpr std::size_t max_cached_subscribers = 1u << 20;

  subscriptions();

  /// A subscriber may have several filters; one that it has already changes nothing.
  void add(std::uint32_t subscriber, const topic_filter& filter);
  /// All its filters.
  void remove(std::uint32_t subscriber);

  /// `topic` must be valid, `topic_hash` a function of it and of nothing else. The route outlives
  /// the next call of `add`, `remove` or `match`, and not necessarily the one after that.
  const route& match(std::string_view topic, std::uint64_t topic_hash) {
    for (std::size_t i = 0; i < probes; ++i) {
      const entry& at = cache_[(topic_hash + i) & mask_];
      if (at.hash == topic_hash && at.to != nullptr && at.topic == topic)
        return *at.to;
    }
    return match_slowly(topic, topic_hash);
  }

  std::size_t subscribers() const noexcept { return filters_.size(); }
  struct cache_counts {
    std::uint64_t misses = 0;
    std::uint64_t cleared = 0;
    std::uint64_t replaced = 0; ///< two topics wanted one place
  };
  const cache_counts& counts() const noexcept { return counts_; }
  std::size_t cached_topics() const noexcept { return cached_; }

private:
  // A topic is kept within a few places of where its hash says: a lookup is short even when
  // somebody publishes topics made to collide.
  static constexpr std::size_t probes = 16;
  static constexpr std::size_t first_size = 256; // of 48 bytes; grows to 2 * max_cached_topics

  struct entry {
    std::uint64_t hash = 0;
    const route* to = nullptr; // null: free
    std::string topic;
  };
  struct hash_of_route {
    std::size_t operator()(const std::unique_ptr<const route>& what) const noexcept;
  };
  struct equal_routes {
    bool operator()(const std::unique_ptr<const route>& a,
                    const std::unique_ptr<const route>& b) const noexcept {
      return a->subscribers == b->subscribers;
    }
  };
  using route_set = std::unordered_set<std::unique_ptr<const route>, hash_of_route, equal_routes>;

  const route& match_slowly(std::string_view topic, std::uint64_t topic_hash);
  void keep(std::string_view topic, std::uint64_t topic_hash, const route* to);
  void place(entry&& what);
  void grow();
  void forget();

  topic_trie trie_;
  std::unordered_map<std::uint32_t, std::vector<topic_filter>> filters_;
  std::vector<entry> cache_; // a power of two
  std::size_t mask_ = 0;
  std::size_t cached_ = 0;
  route_set routes_;
  std::size_t routed_subscribers_ = 0; // in all routes_
  route_set retired_;                  // forgotten last, and possibly still in the caller's hands
  cache_counts counts_;
};

} // namespace edupulse
