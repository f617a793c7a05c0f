#include "runtime/cli/command_line.hpp"
#include "schemas/nearest.hpp"
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

namespace edupulse::cli {

namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* one : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(one->get_name());
  return names;
}

/// Options of a verb may follow those of its noun, and of the program.
std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* at = &app; at != nullptr; at = at->get_parent())
    for (const auto* one : at->get_options())
      for (const auto& name : one->get_lnames())
        names.push_back("--" + name);
  return names;
}

const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  for (const auto* at = &app; at != nullptr; at = at->get_parent())
    if (const auto* found = at->get_option_no_throw(name))
      return found;
  return nullptr;
}

/// CLI11 says that a word was not expected, and not which one is near.
std::string unknown_word(const CLI::App& app, int argc, char** argv) {
  const auto* at = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with("-")) {
      const auto name = word.substr(0, word.find('='));
      const auto* option = find_option(*at, name);
      if (option == nullptr && name.starts_with("--"))
        return "there is no option " + quote(name) + did_you_mean(name, options_of(*at));
      if (option != nullptr && option->get_type_size() > 0 && name == word)
        ++i; // its value
      continue;
    }
    const auto known = verbs_of(*at);
    if (known.empty())
      return {}; // what follows are arguments
    if (std::find(known.begin(), known.end(), word) == known.end())
      return quote(word) + " is no word of `" + at->get_name() + "`" + did_you_mean(word, known);
    at = at->get_subcommand(word);
  }
  return {};
}

} // namespace

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    const auto unknown = unknown_word(app, argc, argv);
    std::cerr << app.get_name() << ": " << (unknown.empty() ? wrong.what() : unknown) << "; "
              << app.get_name() << " --help says more\n";
    return wrong_use;
  }
}

std::optional<std::pair<std::string, std::string>> split_setting(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == text.npos || equals == 0)
    return std::nullopt;
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

std::string read_address(std::string& address) {
  if (!address.starts_with('@'))
    return {};
  const auto file = address.substr(1);
  std::ifstream from(file);
  if (!from)
    return "cannot read " + quote(file) + ", which was to hold the address of a broker";
  std::string line;
  std::getline(from, line);
  line.erase(std::find(line.begin(), line.end(), '\r'), line.end());
  const bool more = std::any_of(std::istreambuf_iterator<char>(from), {}, [](char c) {
    return !std::isspace(static_cast<unsigned char>(c));
  });
  if (line.empty() || more)
    return quote(file) + " is to hold the address of a broker, in one line, and nothing else";
  address = std::move(line);
  return {};
}

void add_settings(CLI::App& verb, std::vector<std::string>& to) {
  verb.add_option("--set", to, "NAME=VALUE, a setting of the plugin; repeatable")
      ->expected(1)
      ->take_all()
      ->check([](const std::string& text) {
        return split_setting(text) ? std::string() : "write it as NAME=VALUE";
      });
}

} // namespace edupulse::cli
