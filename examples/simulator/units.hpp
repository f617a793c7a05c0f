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
};

std::vector<unit> units_of(const plan& what);

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
