#pragma once
// The command line.

#include "node_role.hpp"
#include "plan.hpp"
#include <optional>
#include <string>

namespace edupulse::simulator {

struct options {
  enum class verbs { run, scenarios, explain, node };
  verbs verb = verbs::run;
  std::string name{}; ///< to explain
  plan what{};
  role self{}; ///< of a node
  bool in_virtual_time = false;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> seeds{}; ///< first and last, to be tried
  std::string trace{};                                            ///< a file, or "-"
  bool quiet = false;
  std::filesystem::path page{};
  std::filesystem::path json{};
  std::vector<std::string> given{}; ///< as typed

  /// Errors: `invalid_option`, `not_found`, `malformed`, each a sentence; `stopping` when help was
  /// asked for and printed.
  static expected<options> parse(int argc, char** argv);
  /// The command that does it again, with the seed.
  std::string again() const;
};

} // namespace edupulse::simulator
