#pragma once
// The plugins of a node process: in the same host as in production, each handler with somebody who
// notes what it does.

#include "journal.hpp"
#include "node_role.hpp"
#include "units.hpp"
#include <edupulse/plugin_host.hpp>
#include <functional>
#include <optional>

namespace edupulse::simulator {

class node_plugins {
public:
  /// `note`: any thread.
  node_plugins(const plan& what, const role& self,
               std::function<void(record_kind what, const record& entry)> note);

  /// Their host, before any is loaded. Errors: of `plugin_host`.
  expected<void> open(node& at);
  /// Those of this node.
  expected<void> load();
  /// What killed the start before this one, for people.
  std::vector<std::string> crashes() const;
  /// Of an event that a plugin of the run takes or publishes, here or elsewhere.
  const event_type* type_of(std::string_view event) const;

private:
  struct shared;

  const plan& plan_;
  const role& self_;
  std::shared_ptr<shared> shared_; ///< with the handlers, which end with the node
  std::optional<plugin_host> host_;
  std::vector<plugin_parts> elsewhere_; ///< whose events this node publishes
};

} // namespace edupulse::simulator
