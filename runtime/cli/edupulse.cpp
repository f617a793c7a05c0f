// edupulse: an operator's tool. A noun, a verb: `edupulse dead ls`. See docs/operating.md.

#include "runtime/cli/nouns.hpp"

namespace {

constexpr const char* footer = "Every verb takes --socket or --data, --timeout and --json.\n"
                               "Exit codes: 0 done, 1 the node said no, 2 the command line makes "
                               "no sense,\n3 no node was reached.\n"
                               "With --json an error is {\"error\": {\"code\", \"text\"}}.";

} // namespace

int main(int argc, char** argv) {
  namespace cli = edupulse::cli;
  CLI::App app("Looks at EduPulse nodes, and after them", "edupulse");
  cli::tool with;
  app.fallthrough(); // --json may stand at the end
  app.require_subcommand(1);
  app.footer(footer);
  with.add_options(app);
  for (const auto add :
       {cli::add_node, cli::add_handler, cli::add_dead, cli::add_plugin, cli::add_mirror,
        cli::add_source, cli::add_event, cli::add_counters, cli::add_ledger, cli::add_version})
    add(app, with);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  return with.run();
}
