#pragma once
// The command line of edupulse-backend.

#include <cstdint>
#include <edupulse/options.hpp>
#include <filesystem>
#include <string>
#include <variant>

namespace edupulse::backend {

struct options {
  std::string http_host = "127.0.0.1";
  int http_port = 0; ///< 0: any free one
  std::filesystem::path data_dir;
  node_options node;
};

/// What to run with, or the exit code of a command line that asked for help or was wrong (said on
/// standard output or error).
std::variant<options, int> parse_options(int argc, char** argv);

} // namespace edupulse::backend
