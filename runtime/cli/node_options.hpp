#pragma once
// The command line of edupulse-node.

#include <chrono>
#include <edupulse/options.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace edupulse::cli {

struct program_options {
  node_options node;
  std::filesystem::path socket; ///< of the control socket; empty: in the data directory
  std::chrono::seconds drain{}; ///< what is in hand is given so long at the end
  std::vector<std::filesystem::path> plugins;
  struct mirror {
    std::string name;
    std::string filter;
    std::string url;
  };
  std::vector<mirror> mirrors;
  std::vector<std::pair<std::string, std::string>> sources; ///< names and addresses
  std::filesystem::path allowed; ///< list of digests of plugins; empty: any plugin
  bool core_dumps = true;        ///< with whatever is in memory: events, keys
  /// By the name of the plugin, and of the setting.
  std::map<std::string, std::map<std::string, std::string>> settings;
};

/// Or the code to exit with: help was asked for, or the command line is wrong.
std::variant<program_options, int> parse_options(int argc, char** argv);

} // namespace edupulse::cli
