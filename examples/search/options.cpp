#include "options.hpp"
#include <CLI/CLI.hpp>
#include <cctype>

namespace edupulse::search {

namespace {

constexpr const char* about =
    "Publishes lessons, one JSON event a line, to a node with three handlers: a search indexer, a\n"
    "notifier, and an auditor that fails now and then. Then prints the ledger and what was given "
    "up\n"
    "on, and answers queries from the index.";

constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 something could not be done (said on standard error); 2 wrong command\n"
    "line; 3 done, but lines of the input were skipped; 130 interrupted, after draining.\n"
    "Keys of search servers are taken from the environment: ELASTICSEARCH_API_KEY, "
    "MEILISEARCH_KEY.";

/// An empty value is mostly a variable of a script that is not set.
std::string not_blank(const std::string& value) {
  return value.find_first_not_of(" \t\n") == std::string::npos
             ? "its value is empty; give one, or leave the option away"
             : "";
}

void add_work(CLI::App& app, options& into) {
  app.add_option("-i,--input", into.input, "JSON Lines to read; - is standard input")
      ->check(not_blank)
      ->capture_default_str();
  app.add_option("-q,--query", into.queries, "What to look for in the end (repeatable)")
      ->check(not_blank);
  app.add_option("--limit", into.limit, "Titles to show for each query")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--rate", into.rate, "Events to publish a second; 0: as fast as it goes")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  app.add_flag("--strict", into.strict, "Skip events with fields that the schema does not know");
  app.add_option("--fail-every", into.fail_every,
                 "The auditor throws at every N-th lesson; 0: it never fails")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
}

void add_places(CLI::App& app, options& into) {
  auto* file = app.add_option("--index", into.index_file,
                              "SQLite file of the index (without: a temporary one)");
  auto* elastic = app.add_option("--elasticsearch", into.elasticsearch,
                                 "Index into this server instead: http://HOST:9200");
  auto* meili = app.add_option("--meilisearch", into.meilisearch,
                               "Index into this server instead: http://HOST:7700");
  for (auto* each : {file, elastic, meili})
    each->check(not_blank);
  file->excludes(elastic)->excludes(meili);
  elastic->excludes(meili);
  app.add_option("--outage-limit", into.outage_limit,
                 "Seconds to wait for an index that does not work, before its lessons become\n"
                 "dead letters")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--data-dir", into.data_dir, "Keeps dead letters there from run to run")
      ->check(not_blank);
  app.add_flag("--redrive", into.redrive, "First try the dead letters of earlier runs again")
      ->needs("--data-dir");
}

void add_cluster(CLI::App& app, options& into) {
  auto* cluster =
      app.add_flag("--cluster", into.cluster,
                   "Three processes, each a node: one publishes, one indexes, one notifies;\n"
                   "the one that indexes is killed half-way and started again");
  for (const char* other : {"--index", "--elasticsearch", "--meilisearch", "--data-dir", "--json"})
    cluster->excludes(app.get_option(other));
  app.add_option("--role", into.role)->group("");
  app.add_option("--join", into.join)->group("");
  app.add_option("--dir", into.dir)->group("");
}

/// One sentence: what is wrong, and what to do.
std::string complaint(const CLI::App* app, const CLI::Error& error) {
  std::string text = error.what();
  text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  if (error.get_name() == "ExcludesError" && text.find("--cluster") != std::string::npos)
    text += ": the nodes of --cluster keep what they need in a place of their own";
  else if (error.get_name() == "ExcludesError")
    text += ": lessons go into one index, so give one of the two";
  else
    text += "; " + app->get_name() + " --help lists the options and their limits";
  return app->get_name() + ": " + text + '\n';
}

} // namespace

std::variant<options, int> parse_options(int argc, char** argv, const std::string& sample) {
  options result;
  result.input = sample;
  CLI::App app(about, "edupulse-search");
  app.footer(exit_codes);
  app.failure_message(complaint);
  add_work(app, result);
  add_places(app, result);
  app.add_flag("--json", result.json, "Print one JSON object instead of tables");
  app.add_flag("--quiet", result.quiet, "No progress");
  app.add_flag("-v,--verbose", result.verbose, "Log failed tries and decisions");
  add_cluster(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return result;
}

} // namespace edupulse::search
