// `edupulse plugin new` and `show` for tests/install/plugins_page.sh, as long as no program that is
// installed has them.

#include "runtime/cli/plugin_new.hpp"
#include "runtime/cli/plugin_show.hpp"

int main(int argc, char** argv) {
  CLI::App app("Plugins", "edupulse");
  bool json = false;
  std::function<int()> run;
  app.fallthrough();
  app.require_subcommand(1);
  app.add_flag("--json", json, "answer in JSON");
  auto* plugin = app.add_subcommand("plugin", "plugins and their files")->require_subcommand(1);
  edupulse::cli::add_plugin_new(*plugin, run);
  edupulse::cli::add_plugin_show(*plugin, run, json);
  CLI11_PARSE(app, argc, argv);
  return run();
}
