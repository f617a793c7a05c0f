#pragma once
// `edupulse plugin verify FILE`: whether its handlers can live with what a node does to them.

#include <CLI/CLI.hpp>
#include <functional>

namespace edupulse::cli {

/// The verb: `run` is what the program does when it was asked for. Its answer is the exit code.
void add_plugin_verify(CLI::App& plugin, std::function<int()>& run);

} // namespace edupulse::cli
