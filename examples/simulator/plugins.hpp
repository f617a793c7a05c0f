#pragma once
// Plugins of a run: from the command line into the plan, and into this process.

#include "plan.hpp"

namespace edupulse::simulator {

/// `files`: FILE, or FILE@n2/n3 for some nodes; `settings`: PLUGIN.NAME=VALUE. Their handlers join
/// those of the plan; nothing of a plugin runs yet. Errors: those of `read_plugin_manifest`;
/// `duplicate_name`; `invalid_option` for a setting of no plugin.
expected<void> add_plugins(const std::vector<std::string>& files,
                           const std::vector<std::string>& settings, plan& to);

/// Checks them, probes them and loads them here. Errors: of `load_plugin`; `refused` for what has
/// no place in virtual time.
expected<void> load_plugins(plan& what, bool in_virtual_time);

/// Of each handler a topic that it takes.
std::vector<std::string> topics_of(const plan& what);

} // namespace edupulse::simulator
