#pragma once
// The command line of edupulse-search.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace edupulse::search {

struct options {
  std::string input; ///< "-" is standard input
  std::vector<std::string> queries{};
  std::size_t limit = 10;      ///< titles for each query
  std::string index_file{};    ///< empty: a temporary file
  std::string elasticsearch{}; ///< at most one of the three indexes is named
  std::string meilisearch{};
  std::string data_dir{};   ///< empty: dead letters are gone with the process
  double rate = 0;          ///< events a second; 0: as fast as it goes
  double outage_limit = 10; ///< seconds
  std::uint64_t fail_every = 97;
  bool strict = false;
  bool redrive = false;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool cluster = false; ///< three processes, each a node
  // What such a process is told by the one that starts it.
  std::string role{};
  std::string join{};
  std::string dir{};
};

/// What to run with, or the exit code of a command line that asked for help or was wrong (said on
/// standard output or error).
std::variant<options, int> parse_options(int argc, char** argv, const std::string& sample);

} // namespace edupulse::search
