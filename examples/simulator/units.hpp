#pragma once
// Whom events are owed to: subscriptions and groups, and what a ledger says of them.

#include "cluster.hpp"
#include "plan.hpp"

namespace edupulse::simulator {

/// A subscription, or a group of them.
struct unit {
  std::string name;
  std::size_t handler = 0;
  std::vector<std::size_t> nodes;
  bool is_group = false;
  bool of_plugin = false;
};

std::vector<unit> units_of(const plan& what);

/// How many records the journal of a node needs: room for two calls with each event, as if handlers
/// of plugins that publish did so each time.
std::size_t records_needed(const plan& what, std::size_t node);

/// Which handlers of a plan take what.
class interests {
public:
  explicit interests(const plan& what);
  /// A bit for each handler, by its place.
  std::uint64_t in(std::string_view topic) const;
  std::uint64_t in(const event_type& type, std::string_view subject) const;

private:
  std::vector<topic_filter> filters_;
};

inline bool is_wanted(std::uint64_t wanted, std::size_t handler) {
  return (wanted >> handler & 1) != 0;
}

/// Of one publisher, what one subscription has to show for it.
struct account {
  std::uint64_t published = 0;
  std::uint64_t dead = 0;
  std::uint64_t expired = 0;
  std::uint64_t dropped = 0;
  std::uint64_t pending = 0;

  std::uint64_t ended_otherwise() const noexcept { return dead + expired + dropped; }
};

/// `from` has said its books.
account account_of(const plan& what, const unit& which, const node_start& from);

} // namespace edupulse::simulator
