#include "options.hpp"
#include "plugins.hpp"
#include "schemas/nearest.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

namespace edupulse::simulator {

namespace {

/// What was typed on top of the scenario.
struct typed {
  std::string scenario = "steady";
  std::optional<std::size_t> nodes{};
  std::optional<std::size_t> publishers{};
  std::optional<std::uint64_t> events{};
  std::optional<double> rate{};
  std::optional<double> seconds{};
  std::optional<std::string> handlers{};
  std::optional<std::string> faults{};
  std::optional<std::string> level{};
  std::string input{};
  std::string mode = "processes";
  std::string seeds{};
  std::uint64_t seed = 1;
  std::vector<std::string> plugins{};
  std::vector<std::string> settings{};
  std::vector<std::string> allowed{};
};

void add_options(CLI::App& app, options& how, typed& text) {
  app.add_option("scenario,--scenario", text.scenario,
                 "one that ships (`simulate scenarios`), or a TOML file")
      ->capture_default_str();
  app.add_option("--nodes", text.nodes, "processes, n1 to nN");
  app.add_option("--publishers", text.publishers, "how many of them publish, the first ones");
  app.add_option("--events", text.events, "in all");
  app.add_option("--rate", text.rate, "events a second, in all; 0: as fast as it goes");
  app.add_option("--duration", text.seconds, "seconds: events = rate x duration");
  app.add_option("--handlers", text.handlers,
                 "instead of the scenario's: \"indexer, slow@n2/n3 takes=5 throws=0.01 group=g\"");
  app.add_option("--faults", text.faults,
                 "instead of the scenario's: \"kill:n2@3+4, partition:n1/n2@8+5\"");
  app.add_option("--level", text.level, "acknowledged or best_effort");
  app.add_option("--input", text.input,
                 "events as JSON lines, instead of lessons that are made up");
  const auto add_each = [&](const char* name, std::vector<std::string>& to, const char* about) {
    app.add_option(name, to, about)->expected(1)->take_all();
  };
  add_each("--plugin", text.plugins,
           "a plugin for all nodes, or for some: FILE.so@n2/n3; repeatable");
  add_each("--set", text.settings, "PLUGIN.NAME=VALUE, a setting of a plugin; repeatable");
  add_each("--allow", text.allowed,
           "dead, dropped or crashed: is no violation here; a node that crashes is started again; "
           "repeatable");
  app.add_option("--seed", text.seed, "of everything that is drawn")->capture_default_str();
  app.add_option("--mode", text.mode,
                 "processes, or virtual: all nodes in this process, in virtual time, where the "
                 "same seed gives the same run")
      ->capture_default_str()
      ->check(CLI::IsMember({"processes", "virtual"}));
  app.add_option("--seeds", text.seeds,
                 "A..B: tries these, and stops at the first that fails; with --mode virtual");
  app.add_option("--trace", how.trace,
                 "every message in and effect out, into this file, or - ; with --mode virtual");
  app.add_option("--report", how.page, "an HTML page of the run, into this file");
  app.add_option("--json", how.json,
                 "the same for programs, into this file; of --seeds, what they covered");
  app.add_flag("--quiet", how.quiet, "the summary alone");
}

void add_role(CLI::App& app, role& self, bool& is_node) {
  const auto hidden = [](CLI::Option* one) { one->group(""); };
  hidden(
      app.add_option("--node-role", self.node)->each([&](const std::string&) { is_node = true; }));
  hidden(app.add_option("--node-start", self.start));
  hidden(app.add_option("--node-place", self.place));
  hidden(app.add_option("--node-journal", self.journal));
  hidden(app.add_option("--node-records", self.records));
  hidden(app.add_option("--node-listen", self.listen));
  hidden(app.add_option("--node-join", self.join)->take_all());
}

expected<plan> planned(const typed& text) {
  auto made = read_scenario(text.scenario);
  if (!made)
    return made;
  made->seed = text.seed;
  made->input = text.input;
  made->nodes = text.nodes.value_or(made->nodes);
  made->publishers = text.publishers.value_or(std::min(made->publishers, made->nodes));
  made->rate = text.rate.value_or(made->rate);
  made->level = text.level.value_or(made->level);
  made->events = text.events.value_or(made->events);
  if (text.seconds) {
    if (made->rate <= 0)
      return fail(errc::invalid_option, "--duration needs a --rate above 0");
    made->events = static_cast<std::uint64_t>(std::max(1.0, *text.seconds * made->rate));
  }
  if (text.handlers) {
    auto handlers = parse_handlers(*text.handlers);
    if (!handlers)
      return tl::unexpected(handlers.error());
    made->handlers = std::move(*handlers);
  }
  if (text.faults) {
    auto faults = parse_faults(*text.faults);
    if (!faults)
      return tl::unexpected(faults.error());
    made->faults = std::move(*faults);
  }
  made->allows.insert(made->allows.end(), text.allowed.begin(), text.allowed.end());
  if (auto good = add_plugins(text.plugins, text.settings, *made); !good)
    return tl::unexpected(good.error());
  if (!text.input.empty() && !std::ifstream(text.input))
    return fail(errc::io, "cannot read " + quote(text.input));
  const bool is_virtual = text.mode == "virtual";
  if (auto good = validate(*made, is_virtual ? 1000 : 64); !good)
    return tl::unexpected(good.error());
  return made;
}

expected<void> read_seeds(const typed& text, options& into) {
  into.in_virtual_time = text.mode == "virtual";
  if (!into.in_virtual_time && !(text.seeds.empty() && into.trace.empty()))
    return fail(errc::invalid_option, "--seeds and --trace are for --mode virtual: what processes "
                                      "do is never the same twice");
  if (text.seeds.empty())
    return {};
  const auto dots = text.seeds.find("..");
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  const auto is_number = [&](std::string_view part, std::uint64_t& value) {
    const auto read = std::from_chars(part.data(), part.data() + part.size(), value);
    return !part.empty() && read.ec == std::errc() && read.ptr == part.data() + part.size();
  };
  if (dots == text.seeds.npos || !is_number(std::string_view(text.seeds).substr(0, dots), first) ||
      !is_number(std::string_view(text.seeds).substr(dots + 2), last) || last < first)
    return fail(errc::invalid_option,
                "--seeds is A..B, as in 1..100, and not " + quote(text.seeds));
  if (!into.page.empty() || !into.trace.empty())
    return fail(errc::invalid_option, "--report and --trace show one run: give the --seed instead "
                                      "of --seeds");
  into.seeds.emplace(first, last);
  return {};
}

/// CLI11 says which option is unknown, and not which one is near.
std::string in_words(const CLI::App& app, const CLI::ParseError& what, int argc, char** argv) {
  std::string text = what.what();
  std::vector<std::string> known;
  for (const auto* one : app.get_options())
    for (const auto& name : one->get_lnames())
      known.push_back("--" + name);
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto name = word.substr(0, word.find('='));
    if (name.starts_with("--") && std::find(known.begin(), known.end(), name) == known.end())
      return "there is no option " + quote(name) + did_you_mean(name, known);
  }
  return text;
}

} // namespace

expected<options> options::parse(int argc, char** argv) {
  options how;
  typed text;
  bool is_node = false;
  how.given.assign(argv + 1, argv + argc);
  if (argc > 1 && std::string_view(argv[1]) == "scenarios") {
    how.verb = verbs::scenarios;
    return how;
  }
  if (argc > 1 && std::string_view(argv[1]) == "explain") {
    how.verb = verbs::explain;
    how.name = argc > 2 ? argv[2] : "steady";
    return how;
  }
  CLI::App app("A cluster of node processes on this machine, its faults, and a verdict\n"
               "  simulate scenarios       lists what there is to see\n"
               "  simulate explain NAME    says what one of them does\n");
  add_options(app, how, text);
  add_role(app, how.self, is_node);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& asked) {
    app.exit(asked);
    return fail(errc::stopping, "help");
  } catch (const CLI::ParseError& wrong) {
    return fail(errc::invalid_option, in_words(app, wrong, argc, argv));
  }
  auto made = planned(text);
  if (!made)
    return tl::unexpected(made.error());
  if (auto good = read_seeds(text, how); !good)
    return tl::unexpected(good.error());
  how.what = std::move(*made);
  how.verb = is_node ? verbs::node : verbs::run;
  return how;
}

std::string options::again() const {
  std::string text = "simulate";
  bool seeded = false;
  for (const auto& one : given) {
    seeded = seeded || one.starts_with("--seed");
    const bool plain = one.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789-_./=@:+,") == one.npos;
    text += plain && !one.empty() ? " " + one : " '" + one + "'";
  }
  return seeded ? text : text + " --seed " + std::to_string(what.seed);
}

} // namespace edupulse::simulator
