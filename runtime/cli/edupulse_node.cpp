// edupulse-node: the smallest program that is a node. Read `run`: signals, a node, its plugins, its
// control socket; and the end. See docs/operating.md.

#include "runtime/cli/command_line.hpp"
#include "runtime/cli/node_options.hpp"
#include <csignal>
#include <edupulse/control.hpp>
#include <edupulse/plugin_host.hpp>
#include <edupulse/transports.hpp>
#include <iostream>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace edupulse::cli {

namespace {

/// SIGINT and SIGTERM wait to be asked for; every thread is begun after this, and has them blocked.
class end_signal {
public:
  end_signal() {
    sigemptyset(&both_);
    sigaddset(&both_, SIGINT);
    sigaddset(&both_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &both_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  /// From then on the next one ends the process at once.
  void wait() const {
    int which = 0;
    while (sigwait(&both_, &which) != 0) {
    }
    pthread_sigmask(SIG_UNBLOCK, &both_, nullptr);
  }

private:
  sigset_t both_{};
};

/// Errors: of the first one that is not loaded; `invalid_option` for settings of none of them.
expected<void> load_plugins(plugin_host& into, const program_options& how) {
  auto settings = how.settings;
  for (const auto& file : how.plugins) {
    const auto manifest = read_plugin_manifest(file);
    if (!manifest)
      return tl::unexpected(manifest.error());
    const auto own = settings.extract(manifest->name);
    const auto loaded = into.load(file, own ? own.mapped() : plugin_values{});
    if (!loaded)
      return tl::unexpected(loaded.error());
  }
  if (settings.empty())
    return {};
  return fail(errc::invalid_option, "--set: no plugin named " + quote(settings.begin()->first) +
                                        " was loaded: write it as PLUGIN.NAME=VALUE");
}

expected<void> attach_mirrors(node& to, const program_options& how, const type_lookup& types) {
  for (const auto& one : how.mirrors) {
    auto transport = open_transport(one.url, types);
    if (!transport)
      return tl::unexpected(transport.error());
    const auto made = to.attach_mirror(one.name, one.filter, std::move(*transport));
    if (!made)
      return tl::unexpected(made.error());
  }
  return {};
}

expected<void> attach_sources(node& to, const program_options& how, const type_lookup& types) {
  for (const auto& [name, url] : how.sources) {
    auto from = open_source(url, types);
    if (!from)
      return tl::unexpected(from.error());
    if (auto good = to.attach_source(name, std::move(*from)); !good)
      return good;
  }
  return {};
}

/// Whoever waits for this line reads a pipe.
void say_what_it_is(const node& at, const control_socket& control) {
  std::cout << "name=" << quote(at.name(), 255)
            << " node=" << (at.address().empty() ? "-" : at.address())
            << " control=" << control.path().string() << std::endl;
}

/// What was owed and is not any more is in the ledger.
void say_goodbye(const node& at, const stop_report& report) {
  std::cerr << to_string(at.ledger());
  if (report.dropped > 0)
    std::cerr << "edupulse-node: " << report.dropped << " deliveries were dropped\n";
  if (report.stuck_calls > 0)
    std::cerr << "edupulse-node: " << report.stuck_calls << " handlers did not return\n";
}

/// Nor does the system let others of its user look into it.
void keep_memory_private() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

expected<void> run(const program_options& how) {
  if (!how.core_dumps)
    keep_memory_private();
  const end_signal told; // before there are threads
  watch_for_crashes();
  auto at = node::start(how.node);
  if (!at)
    return tl::unexpected(at.error());
  auto plugins = plugin_host::open(*at, {.allowed = how.allowed});
  if (!plugins)
    return tl::unexpected(plugins.error());
  if (auto good = load_plugins(*plugins, how); !good)
    return good;
  const type_lookup types = [&](std::string_view event) { return plugins->type_of(event); };
  auto good = attach_mirrors(*at, how, types);
  if (good)
    good = attach_sources(*at, how, types); // behind whatever takes their events
  if (!good) {
    at->stop(std::chrono::seconds(0)); // those that run use the plugins' schemas
    return good;
  }
  const auto control = control_socket::open(
      *at, {.path = how.socket,
            .types = types,
            .transports = [types](std::string_view url) { return open_transport(url, types); },
            .sources = [types](std::string_view url) { return open_source(url, types); },
            .plugins = &plugins->desk()});
  if (!control)
    return tl::unexpected(control.error());
  say_what_it_is(*at, *control);
  told.wait();
  say_goodbye(*at, at->stop(how.drain)); // the control socket answers meanwhile
  return {};
}

} // namespace

} // namespace edupulse::cli

int main(int argc, char** argv) {
  namespace cli = edupulse::cli;
  const auto how = cli::parse_options(argc, argv);
  if (const int* code = std::get_if<int>(&how))
    return *code;
  const auto good = cli::run(std::get<cli::program_options>(how));
  if (good)
    return cli::done;
  std::cerr << "edupulse-node: " << good.error().text << '\n';
  return cli::refused;
}
