#pragma once
// Loads a plugin in a process of its own, to see whether that ends well.

#include "runtime/plugins/plugin_code.hpp"
#include "runtime/plugins/plugin_file.hpp"
#include <filesystem>

namespace edupulse {

/// The program of `plugin_host_options::probe`. Errors: `not_found`, saying where it was looked
/// for.
expected<std::filesystem::path> find_probe(const std::filesystem::path& given);

/// Errors: `refused`, with what the plugin's constructors did instead of returning.
expected<void> probe_plugin(const plugin_file& what, const std::filesystem::path& program,
                            duration patience);

/// From a file that was found safe to code that may be used here: fingerprint, probe, loaded, and
/// the plugin that its manifest says. Errors: `refused`; those of `probe_plugin`.
expected<const plugin*> admit(const plugin_file& what, const std::filesystem::path& probe_program,
                              duration patience);

/// What that program does: loads the plugin of descriptor 3 and writes `ok`, or why not.
int run_probe();

} // namespace edupulse
