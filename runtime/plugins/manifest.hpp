#pragma once
// The manifest of a plugin, from its JSON.

#include "schemas/error.hpp"
#include <edupulse/plugin_host.hpp>
#include <string_view>

namespace edupulse {

/// `text` may be anything. Errors: `refused`, saying what is wrong with it.
expected<plugin_manifest> parse_manifest(std::string_view text);

} // namespace edupulse
