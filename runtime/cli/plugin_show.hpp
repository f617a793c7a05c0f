#pragma once
// `edupulse plugin show FILE`: what a plugin's file says of it, without loading it.

#include <CLI/CLI.hpp>
#include <edupulse/plugin_host.hpp>
#include <functional>
#include <string>

namespace edupulse::cli {

/// For people. Whatever the file says, a terminal takes nothing of it for a command.
std::string plugin_text(const plugin_manifest& of);
/// The manifest as it is in the file, in ASCII alone.
std::string plugin_json(const plugin_manifest& of);

/// The verb: `run` is what the program does when it was asked for. Its answer is the exit code.
/// `as_json`: whether the answer shall be JSON, read when it runs.
void add_plugin_show(CLI::App& plugin, std::function<int()>& run, const bool& as_json);

} // namespace edupulse::cli
