#pragma once
// The nouns of `edupulse`, each in a file of its name: they add their verbs to the command line.

#include "runtime/cli/tool.hpp"

namespace edupulse::cli {

void add_version(CLI::App& to, tool& with);
void add_node(CLI::App& to, tool& with);
void add_handler(CLI::App& to, tool& with);
void add_dead(CLI::App& to, tool& with);
void add_event(CLI::App& to, tool& with);
void add_counters(CLI::App& to, tool& with);
void add_ledger(CLI::App& to, tool& with);
void add_plugin(CLI::App& to, tool& with);
void add_mirror(CLI::App& to, tool& with);
void add_source(CLI::App& to, tool& with);

/// A noun, whose verbs follow.
inline CLI::App& add_noun(CLI::App& to, const char* name, const char* about) {
  return *to.add_subcommand(name, about)->require_subcommand(1);
}

/// A verb: `run` is what the program does then.
inline CLI::App& add_verb(CLI::App& to, tool& with, const char* name, const char* about,
                          std::function<int()> run) {
  auto* verb = to.add_subcommand(name, about);
  verb->callback([&with, run = std::move(run)] { with.run = run; });
  return *verb;
}

/// A verb that says one NAME in its request; `said` follows the name when that is done.
void add_verb_of_one(CLI::App& to, tool& with, const char* name, const char* about,
                     const char* said, void (*fill)(control::Request::Builder, const std::string&));

} // namespace edupulse::cli
