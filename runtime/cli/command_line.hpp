#pragma once
// What our programs have in common when they are called: exit codes, and what they say of words
// that they do not know.

#include <CLI/CLI.hpp>
#include <optional>
#include <string_view>

namespace edupulse::cli {

inline constexpr int done = 0;
inline constexpr int refused = 1; ///< by the node, or by what was asked for
inline constexpr int wrong_use = 2;
inline constexpr int nobody_there = 3;

/// The code to exit with, when the command line has ended the program: it asked for help, or was
/// wrong. Nothing: go on.
std::optional<int> parse(CLI::App& app, int argc, char** argv);

/// "NAME=VALUE" in two; nothing without a name or "=".
std::optional<std::pair<std::string, std::string>> split_setting(std::string_view text);
/// The address of a broker; `@FILE` becomes what stands in that file, so that no password is on a
/// command line, where everybody sees it. What is wrong, or nothing. For CLI11's `transform`.
std::string read_address(std::string& address);
/// `--set NAME=VALUE` of a plugin, any number of times; each is one that `split_setting` takes.
void add_settings(CLI::App& verb, std::vector<std::string>& to);

} // namespace edupulse::cli
