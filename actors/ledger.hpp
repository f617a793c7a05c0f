#pragma once
// Counts what became of every event, per topic and subscription. The counts are plain integers that
// deliveries raise as they go; that they balance is checked against what is really waiting, which
// the deliveries count anew for each snapshot.
//
// Bounded, since anybody who may publish may invent topics: `max_topics` topics have lines of their
// own, later ones share "(other topics)"; there are `max_rows` lines, and what goes beyond shares
// two lines of "(other subscriptions)": what was published here, and what other nodes have
// published. Lines of ended subscriptions make room when it is needed. Every line
// balances, the shared ones too.

#include "actors/ledger_view.hpp"
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace edupulse {

/// One thread.
class ledger {
public:
  using row = ledger_counts;
  static constexpr std::size_t max_topics = 4096;
  static constexpr std::size_t max_rows = 65'536;

  /// The index under which a subscription's events from other nodes are counted: their publishers
  /// count them, too, and a sum over the cluster must not do so twice.
  static constexpr std::uint32_t received(std::uint32_t subscription) noexcept {
    return subscription | 1u << 30;
  }
  /// Neither of another node nor of a group.
  static constexpr bool is_of_this_node(std::uint32_t index) noexcept { return index >> 29 == 0; }
  static constexpr bool is_received(std::uint32_t index) noexcept { return index >> 30 == 1; }

  ledger() = default;
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  /// To be called before the first `row_of` with that index; what an ended subscription counted
  /// under it moves to the shared line. Beyond `max_rows` names they are
  /// "(other subscriptions)".
  void name_subscription(std::uint32_t index, std::string name);
  /// The subscription has ended, nothing of it is pending, and nobody holds a row of it. Its rows
  /// stay to be seen until their room is needed.
  void retire_subscription(std::uint32_t index);
  /// Also of one that has ended, as long as its rows can be seen. Null: it has no rows any more.
  const std::string* name_of(std::uint32_t index) const;

  /// Events published under a topic, and whether anybody is owed them. `topic_hash` is
  /// `text_hash(topic)` here and below: what an envelope carries.
  void count_published(std::string_view topic, std::uint64_t topic_hash, std::uint64_t events,
                       bool has_subscriber);
  /// The row to count in, made at first. Lives until the subscription is retired.
  row& row_of(std::string_view topic, std::uint64_t topic_hash, std::uint32_t subscription);

  /// Where a dead event of a subscription of that name was counted, under whichever index: a node
  /// that comes back has others. Null when there is no such row.
  row* dead_row(std::string_view topic, std::uint64_t topic_hash, std::string_view name);

  /// `for_each_pending(count)` must call `count(subscription, topic)` once for each event that is
  /// owed and not concluded.
  template <class F> ledger_view snapshot(F for_each_pending) const {
    return make_view(count_pending(for_each_pending), nullptr);
  }
  /// What was published here alone, and with the node's name behind those of its own subscriptions:
  /// to be added to what other nodes say of themselves.
  template <class F> ledger_view published(const std::string& own_node, F for_each_pending) const {
    return make_view(count_pending(for_each_pending), &own_node);
  }

private:
  struct topic_key {
    std::string text;
    std::uint64_t hash;
  };
  struct topic_name {
    std::string_view text;
    std::uint64_t hash;
  };
  struct topic_hasher {
    using is_transparent = void;
    std::size_t operator()(const topic_key& key) const noexcept { return key.hash; }
    std::size_t operator()(const topic_name& name) const noexcept { return name.hash; }
  };
  struct same_topic {
    using is_transparent = void;
    template <class A, class B> bool operator()(const A& a, const B& b) const noexcept {
      return a.hash == b.hash && std::string_view(a.text) == std::string_view(b.text);
    }
  };
  struct topic_entry {
    std::uint64_t published = 0;
    std::uint64_t no_subscriber = 0;
    std::vector<std::pair<std::uint32_t, row*>> rows; // by subscription
  };
  struct subscription_entry {
    std::string name;
    bool retired = false;
    bool overflowed = false; // an event of it went to everything_else_: so do all its new topics
  };
  using pending_map = std::unordered_map<const row*, std::uint64_t>;

  topic_entry& entry_of(std::string_view topic, std::uint64_t topic_hash);
  static row* find_in(const topic_entry& where, std::uint32_t subscription) noexcept;
  const row& find_row(std::string_view topic, std::uint32_t subscription) const;
  row* make_row();
  void fold_retired();
  void fold_retired(topic_entry& where);
  template <class F> pending_map count_pending(F for_each_pending) const {
    pending_map pending;
    for_each_pending([&](std::uint32_t subscription, std::string_view topic) {
      ++pending[&find_row(topic, subscription)];
    });
    return pending;
  }
  ledger_view make_view(const pending_map& pending, const std::string* own_node) const;
  void append_lines(std::string_view topic, const topic_entry& from, const pending_map& pending,
                    const std::string* own_node, ledger_view& to) const;

  std::unordered_map<topic_key, topic_entry, topic_hasher, same_topic> topics_;
  topic_entry other_topics_;
  row everything_else_[2]; ///< the second: published on other nodes
  std::deque<row> rows_;   // never move
  std::vector<row*> free_rows_;
  std::unordered_map<std::uint32_t, subscription_entry> subscriptions_;
  std::size_t retired_ = 0;
};

} // namespace edupulse
