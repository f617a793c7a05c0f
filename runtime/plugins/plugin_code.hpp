#pragma once
// A plugin in this process: from here on its code can run.

#include "runtime/descriptor.hpp"
#include <edupulse/plugin.hpp>

namespace edupulse {

/// Errors: `refused`, naming the parts in which it differs from that of this program.
expected<void> check_fingerprint(std::string_view of_plugin);

/// Loads a plugin for good, with symbols of its own. Its static constructors run here: they may do
/// anything, so a probe has called this before in a process of its own. Errors: `refused`.
expected<const plugin*> load_code(const descriptor& image);

} // namespace edupulse
