#include "runtime/cli/node_options.hpp"
#include "runtime/cli/command_line.hpp"
#include <edupulse/plugin_host.hpp>
#include <edupulse/version.hpp>

namespace edupulse::cli {

namespace {

constexpr const char* footer =
    "The first line on standard output says what it is: name=NAME node=HOST:PORT control=SOCKET.\n"
    "It runs until SIGINT or SIGTERM, then drains and prints the ledger; a second one ends it at "
    "once.\n"
    "Exit codes: 0 it was told to end, 1 it could not start, 2 the command line makes no sense.";

const std::map<std::string, network_profile> profiles{{"local", network_profile::local},
                                                      {"lan", network_profile::lan},
                                                      {"wan", network_profile::wan}};
const std::map<std::string, log_level> levels{{"debug", log_level::debug},
                                              {"info", log_level::info},
                                              {"warning", log_level::warning},
                                              {"error", log_level::error},
                                              {"off", log_level::off}};

/// PLUGIN.NAME=VALUE into `to`; what is wrong with it, or nothing.
std::string read_setting(const std::string& text, program_options& to) {
  const auto good = add_plugin_value(text, to.settings);
  return good ? std::string() : good.error().text;
}

/// NAME=URL or NAME:FILTER=URL into `to`; what is wrong with it, or nothing.
std::string read_mirror(const std::string& text, program_options& to) {
  const auto equals = text.find('=');
  if (equals == text.npos)
    return "--mirror " + text + ": write NAME=URL or NAME:FILTER=URL";
  const auto front = text.substr(0, equals);
  const auto colon = front.find(':');
  auto url = text.substr(equals + 1);
  if (auto wrong = read_address(url); !wrong.empty())
    return wrong;
  to.mirrors.push_back({front.substr(0, colon), colon == front.npos ? ">" : front.substr(colon + 1),
                        std::move(url)});
  return {};
}

/// NAME=URL into `to`; what is wrong with it, or nothing.
std::string read_source(const std::string& text, program_options& to) {
  const auto equals = text.find('=');
  if (equals == text.npos)
    return "--source " + text + ": write NAME=URL";
  auto url = text.substr(equals + 1);
  if (auto wrong = read_address(url); !wrong.empty())
    return wrong;
  to.sources.emplace_back(text.substr(0, equals), std::move(url));
  return {};
}

void add_cluster(CLI::App& app, cluster_options& to) {
  app.add_option("--cluster", to.name, "Name of the cluster")->capture_default_str();
  app.add_option("--listen", to.listen, "HOST:PORT for other nodes; without it there are none");
  app.add_option("--advertise", to.advertise, "Where others reach it, if not at --listen");
  app.add_option("--join", to.join, "HOST:PORT of a member; repeatable");
  app.add_option("--tls", to.tls, "Directory of certificates, as `edupulse-pki issue` makes it");
  app.add_flag("--insecure-plaintext", to.insecure_plaintext,
               "Speak to other machines without TLS: whoever reaches the port reads everything");
}

/// What is given in words, or in other units.
struct words {
  std::string profile = "lan";
  std::string level = "warning";
  unsigned drain_s = 5;
};

template <class T> void add_choice(CLI::App& app, const char* name, std::string& to,
                                   const std::map<std::string, T>& known, const char* about) {
  app.add_option(name, to, about)->check(CLI::IsMember(&known))->capture_default_str();
}

void add_all(CLI::App& app, program_options& to, words& as) {
  app.add_option("--name", to.node.name, "Who this node is; another name on each");
  app.add_option("--data", to.node.data_dir,
                 "Where dead letters, the node's id and the control socket are kept")
      ->required();
  app.add_option("--socket", to.socket,
                 "Of the control socket, when DATA/control.sock is too long");
  add_cluster(app, to.node.cluster);
  app.add_option("--plugin", to.plugins, "A plugin to load, an absolute path; repeatable");
  app.add_option("--allowed-plugins", to.allowed,
                 "LIST, as sha256sum writes it: no other plugins are loaded, now or later");
  app.add_option("--set", "PLUGIN.NAME=VALUE, a setting of a plugin; repeatable")
      ->expected(1)
      ->take_all()
      ->check([&to](const std::string& text) { return read_setting(text, to); });
  app.add_option("--mirror", "NAME[:FILTER]=URL, copies of events at a broker; repeatable: see "
                             "docs/mirrors.md")
      ->expected(1)
      ->take_all()
      ->check([&to](const std::string& text) { return read_mirror(text, to); });
  app.add_option("--source", "NAME=URL, events from a broker; repeatable: see docs/sources.md")
      ->expected(1)
      ->take_all()
      ->check([&to](const std::string& text) { return read_source(text, to); });
  app.add_option("--drain", as.drain_s, "Seconds that events in hand are given at the end")
      ->check(CLI::Range(0U, 86400U))
      ->capture_default_str();
  add_choice(app, "--profile", as.profile, profiles, "How patient with others; the same on all");
  add_choice(app, "--log", as.level, levels, "What is logged, on standard error");
  app.add_flag("!--no-core-dumps", to.core_dumps,
               "Its memory, with events and keys in it, is written to no file when it crashes");
  app.set_version_flag("--version", EDUPULSE_VERSION);
}

} // namespace

std::variant<program_options, int> parse_options(int argc, char** argv) {
  program_options how;
  words as;
  CLI::App app("Runs a node of EduPulse, with plugins, until it is told to end", "edupulse-node");
  app.footer(footer);
  add_all(app, how, as);
  if (const auto code = parse(app, argc, argv))
    return *code;
  how.drain = std::chrono::seconds(as.drain_s);
  how.node.cluster.profile = profiles.at(as.profile);
  how.node.log = levels.at(as.level);
  return how;
}

} // namespace edupulse::cli
