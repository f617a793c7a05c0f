#include "options.hpp"
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <map>

namespace edupulse::backend {

namespace {

constexpr const char* about = "A small HTTP service that is a node of a cluster: lessons that are "
                              "posted to any of its nodes\n"
                              "can be found on all of them.";

constexpr const char* footer =
    "POST /lessons   GET /search?q=   GET /members   GET /ledger   GET /ready?nodes=N   "
    "GET /healthz\n"
    "The first line of standard output names the ports: name=NAME http=HOST:PORT node=HOST:PORT";

/// "HOST:PORT" into its halves; empty when it is that, else what is wrong.
std::string split(const std::string& text, options& into) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return "'" + text + "' is not HOST:PORT; write 127.0.0.1:8080, or port 0 for any free one";
  const char* end = text.data() + text.size();
  unsigned port = 0;
  const auto read = std::from_chars(text.data() + colon + 1, end, port);
  if (read.ec != std::errc{} || read.ptr != end || port > 65535)
    return "'" + text.substr(colon + 1) + "' is not a port; it is 0 to 65535";
  into.http_host = text.substr(0, colon);
  into.http_port = static_cast<int>(port);
  return "";
}

std::string complaint(const CLI::App* app, const CLI::Error& error) {
  return app->get_name() + ": " + error.what() + "; " + app->get_name() +
         " --help lists the options\n";
}

} // namespace

std::variant<options, int> parse_options(int argc, char** argv) {
  static const std::map<std::string, network_profile> profiles = {{"local", network_profile::local},
                                                                  {"lan", network_profile::lan},
                                                                  {"wan", network_profile::wan}};
  options result;
  std::string http = "127.0.0.1:0";
  auto& cluster = result.node.cluster;
  cluster.listen = "127.0.0.1:0";
  cluster.profile = network_profile::local;
  CLI::App app(about, "edupulse-backend");
  app.footer(footer);
  app.failure_message(complaint);
  app.add_option("--name", result.node.name, "Who this node is; another name on each")->required();
  app.add_option("--data", result.data_dir,
                 "Where the index, dead letters and the node's id are kept")
      ->required();
  app.add_option("--http", http, "HOST:PORT for HTTP")->capture_default_str();
  app.add_option("--listen", cluster.listen, "HOST:PORT for other nodes")->capture_default_str();
  app.add_option("--advertise", cluster.advertise, "Where others reach it, if not at --listen");
  app.add_option("--join", cluster.join, "HOST:PORT of a member (repeatable)");
  app.add_option("--tls", cluster.tls, "Directory of certificates, see docs/tls.md");
  app.add_option("--cluster", cluster.name, "Name of the cluster")->capture_default_str();
  app.add_option("--profile", cluster.profile, "local, lan or wan; the same on all nodes")
      ->transform(CLI::CheckedTransformer(profiles));
  bool verbose = false;
  app.add_flag("-v,--verbose", verbose, "Log what the node decides, on standard error");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto wrong = split(http, result); !wrong.empty()) {
    std::fprintf(stderr, "edupulse-backend: --http: %s\n", wrong.c_str());
    return 2;
  }
  result.node.data_dir = result.data_dir;
  result.node.log = verbose ? log_level::info : log_level::error;
  return result;
}

} // namespace edupulse::backend
