#pragma once
// `edupulse plugin new NAME`: a folder with a plugin that builds, tests and loads.

#include "schemas/error.hpp"
#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace edupulse::cli {

struct new_plugin {
  std::string name;
  std::filesystem::path place = "."; ///< where its folder is made
  std::uint64_t file_id = 0;         ///< of its schema; drawn when it is 0
};

/// The folder's path. It is there whole or not at all. Errors: `invalid_option` for a name that no
/// plugin, file or CMake target may have; `refused` when there is something of that name; `io`.
expected<std::filesystem::path> write_new_plugin(const new_plugin& what);

/// The verb: `run` is what the program does when it was asked for. Its answer is the exit code.
void add_plugin_new(CLI::App& plugin, std::function<int()>& run);

} // namespace edupulse::cli
