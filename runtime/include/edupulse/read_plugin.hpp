#pragma once
// What a plugin's file says of the plugin. Included by <edupulse/plugin_host.hpp>; link
// edupulse::plugin_host.

#include "schemas/error.hpp"
#include <filesystem>
#include <string>
#include <vector>

namespace edupulse {

/// What a plugin's file says of it, read without loading it.
struct plugin_manifest {
  struct handler {
    std::string name;
    std::string event;  ///< empty: any
    std::string filter; ///< empty: the event, with any subject
    std::string group;
    bool hands_over = false; ///< its state goes to the next version
  };
  struct setting {
    std::string name;
    std::string type; ///< text, integer, number or flag
    std::string by_default;
    std::string about;
  };
  std::string name;
  std::string version;
  std::string about;
  std::string fingerprint;
  std::vector<handler> handlers;
  std::vector<std::string> publishes;
  std::vector<setting> settings;
  std::string json; ///< as it is in the file: with every option of every handler
};

/// The file's path may be relative and its directory anybody's: nothing of it runs. Errors: `io`;
/// `refused`, saying what the file is instead of a plugin.
expected<plugin_manifest> read_plugin_manifest(const std::filesystem::path& file);

} // namespace edupulse
