#pragma once
// The ledger as it was at one moment: for each topic and subscription, what was owed and what
// became of it. Every line balances: published = handled + dead + expired + dropped + pending.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

/// Why a subscription was not given an event that it was owed.
enum class drop_reason : std::uint8_t {
  shed_stalled,     ///< it made no progress for `stall_after`, and its backlog was full
  drop_newest,      ///< its backlog was full: the arriving event
  drop_oldest,      ///< its backlog was full: the one that had waited longest
  superseded,       ///< its backlog was full, and a newer event of its key was waiting
  best_effort_full, ///< its backlog was full, and the event was published `best_effort`
  unsubscribed,     ///< it was waiting when the subscription ended
  stopped,          ///< it was waiting when the node stopped
  discarded,        ///< a dead letter that was thrown away, or pushed out by newer ones
  reassigned,       ///< not lost: another member of its group is owed it, and counts it anew
  unreachable,      ///< published `best_effort`, for a node that died or left
  unknown, ///< for a reason that a node of a later version gave, and this one does not know
};
inline constexpr std::size_t drop_reasons = 11;

std::string_view to_string(drop_reason why) noexcept;

/// How an event ended for one subscription.
enum class fate : std::uint8_t { handled, dead, expired, dropped };
std::string_view to_string(fate what) noexcept;

/// What became of the events of one topic for one subscription.
struct ledger_counts {
  std::uint64_t published = 0; ///< owed to the subscription
  std::uint64_t handled = 0;
  std::uint64_t dead = 0; ///< in the dead letters now
  std::uint64_t expired = 0;
  std::array<std::uint64_t, drop_reasons> dropped{};
  std::uint64_t retries = 0; ///< tries that failed, other than by a crash; not part of the balance
  std::uint64_t crashes = 0; ///< not part of the balance

  /// One event ended so; `why` is of dropped ones.
  void count(fate how, drop_reason why) noexcept;
  std::uint64_t dropped_in_all() const noexcept;
  std::uint64_t dropped_for(drop_reason why) const noexcept {
    return dropped[static_cast<std::size_t>(why)];
  }
  /// Exactly all that was published is accounted for.
  bool balances(std::uint64_t pending) const noexcept {
    return published == handled + dead + expired + dropped_in_all() + pending;
  }
  ledger_counts& operator+=(const ledger_counts& other) noexcept;
};

struct ledger_line : ledger_counts {
  std::string topic;
  std::string subscription;
  std::uint64_t pending = 0; ///< counted where they wait, independently of all the above
  /// Published on other nodes, whose ledgers count them, too.
  bool received = false;

  bool balances() const noexcept { return ledger_counts::balances(pending); }
};

struct ledger_topic {
  std::string topic;
  std::uint64_t published = 0;     ///< events, each once, however many subscriptions want it
  std::uint64_t no_subscriber = 0; ///< those of them that nobody wanted
};

/// Value. Lines by topic, then subscription.
struct ledger_view {
  std::vector<ledger_topic> topics;
  std::vector<ledger_line> lines;

  /// Of all lines; its names are "all".
  ledger_line total() const;
  bool balances() const noexcept;
  /// Of what was published here. Null when there is no such line.
  const ledger_line* find(std::string_view topic, std::string_view subscription) const noexcept;
  /// Of all topics for one subscription. Zero when it is unknown.
  ledger_line of_subscription(std::string_view subscription) const;
};

/// A table for people, with a line that says whether it balances. Ends with a newline.
std::string to_string(const ledger_view& what);

} // namespace edupulse
