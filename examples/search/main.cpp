// edupulse-search: the main job. Lessons go in as JSON Lines, three handlers work side by side on
// them, and the index answers queries in the end. Read `run` first: it is the whole story in one
// process; `run_cluster` in cluster_run.cpp is the same in three.

#include "clock.hpp"
#include "cluster_role.hpp"
#include "cluster_run.hpp"
#include "console.hpp"
#include "elasticsearch_index.hpp"
#include "feeder.hpp"
#include "fts5_index.hpp"
#include "handlers.hpp"
#include "input_file.hpp"
#include "meilisearch_index.hpp"
#include "options.hpp"
#include "progress_view.hpp"
#include "report.hpp"
#include "temporary_place.hpp"
#include "watcher.hpp"
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace edupulse::search {

namespace {

using namespace std::chrono_literals;

duration seconds_of(double value) {
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(value));
}

// -- the pieces -----------------------------------------------------------------------------

std::vector<std::string> key_header(const char* variable, const char* before) {
  const char* key = std::getenv(variable);
  if (key == nullptr || *key == '\0')
    return {};
  return {std::string("Authorization: ") + before + key};
}

expected<std::unique_ptr<search_index>> open_index(const options& how, temporary_place& place) {
  if (!how.elasticsearch.empty())
    return check_base_url(how.elasticsearch)
        .map([](const std::string& url) -> std::unique_ptr<search_index> {
          elasticsearch_options with{.url = url};
          with.http.headers = key_header("ELASTICSEARCH_API_KEY", "ApiKey ");
          return std::make_unique<elasticsearch_index>(with);
        });
  if (!how.meilisearch.empty())
    return check_base_url(how.meilisearch)
        .map([](const std::string& url) -> std::unique_ptr<search_index> {
          meilisearch_options with{.url = url};
          with.http.headers = key_header("MEILISEARCH_KEY", "Bearer ");
          return std::make_unique<meilisearch_index>(with);
        });
  fts5_options with{.file = how.index_file};
  if (how.index_file.empty()) {
    auto made = place.make();
    if (!made)
      return tl::unexpected(made.error());
    with.file = *made / "index.sqlite";
  }
  return std::make_unique<fts5_index>(with);
}

// -- the run --------------------------------------------------------------------------------

void redrive(node& what, console& screen) {
  for (const char* name : {"search-indexer", "notifier", "auditor"})
    if (const auto count = what.redrive_all(name); count && *count > 0)
      screen.say("redriving " + with_commas(*count) + " dead letters of " + name);
}

run_report report_on(const node& what, const feeder_counts& counts, const notice_board& notices,
                     index_desk& desk, const options& how) {
  run_report report;
  report.published = counts.published;
  report.skipped = counts.skipped;
  report.unknown_fields = counts.unknown_fields;
  std::tie(report.busiest_teacher, report.busiest_notices) = notices.busiest();
  report.ledger = what.ledger();
  report.dead_letters =
      what.dead_letters({.limit = max_listed_dead_letters}).value_or(std::vector<dead_letter>());
  const std::lock_guard guard(desk.mutex);
  report.index = desk.index->describe();
  for (const std::string& query : how.queries)
    report.queries.push_back({query, desk.index->find(query, how.limit)});
  return report;
}

int exit_code(const run_report& report, bool all_done) {
  for (const answered_query& query : report.queries)
    if (!query.hits)
      return EXIT_FAILURE;
  if (report.interrupted)
    return 130; // 128 + SIGINT, as shells say it
  if (!all_done || !report.ledger.balances())
    return EXIT_FAILURE;
  return report.skipped > 0 ? 3 : EXIT_SUCCESS;
}

node_options options_of_node(const options& how, console& screen) {
  node_options with;
  with.name = "search-1";
  with.data_dir = how.data_dir;
  with.log = how.verbose ? log_level::info : log_level::error;
  with.log_sink = [&screen](log_level, std::string_view line) { screen.say(std::string(line)); };
  return with;
}

expected<int> run(const options& how) {
  const interrupt stop;
  console screen;
  temporary_place place;
  input_file input;
  if (auto opened = input.open(how.input); !opened)
    return tl::unexpected(opened.error());
  auto index = open_index(how, place);
  if (!index)
    return tl::unexpected(index.error());
  auto desk = std::make_shared<index_desk>(std::move(*index), seconds_of(how.outage_limit));
  notice_board notices;

  auto node = node::start(options_of_node(how, screen));
  if (!node && node.error().code == errc::io)
    return fail(errc::io,
                node.error().text + "; --data-dir takes a directory that you may write to");
  if (!node)
    return tl::unexpected(node.error());
  if (auto added = subscribe_indexer(*node, desk); !added)
    return tl::unexpected(added.error());
  if (auto added = subscribe_notifier(*node, notices); !added)
    return tl::unexpected(added.error());
  if (auto added = subscribe_auditor(*node, rules_for(how.fail_every)); !added)
    return tl::unexpected(added.error());
  if (how.redrive)
    redrive(*node, screen);

  const time_point started = now();
  line_reader lines(input.fd(), stop.fd());
  feeder feed(*node, stop, {how.rate, how.strict, {}},
              [&](const std::string& line) { screen.say(line); });
  std::optional<watcher> watching;
  if (!how.quiet)
    watching.emplace(*node, feed.counts(), input.size(), screen);
  const auto fed = feed.run(lines);
  const bool interrupted = stop.happened();
  const auto drained = drain(*node, stop, seconds_of(how.outage_limit) + 60s);
  watching.reset();
  node->stop(0s); // what is left now is dropped, and the ledger says so
  if (!drained)
    screen.say("not everything was handled: " + drained.error().text);

  auto report = report_on(*node, feed.counts(), notices, *desk, how);
  report.seconds = std::chrono::duration<double>(now() - started).count();
  report.interrupted = interrupted || stop.happened();
  const std::size_t width = ::isatty(STDOUT_FILENO) != 0 ? screen.width() : 0;
  const auto page = how.json ? to_json_line(report) : to_page(report, {colors_wanted(), width});
  if (fed || report.published > 0) // else there is nothing to report
    std::fputs(page.c_str(), stdout);
  if (!fed)
    return fail(fed.error().code,
                fed.error().text + "; run again when " + how.input + " can be read");
  return exit_code(report, drained.has_value());
}

} // namespace

} // namespace edupulse::search

int main(int argc, char** argv) {
  namespace search = edupulse::search;
  const auto how = search::parse_options(argc, argv, EDUPULSE_SAMPLE_LESSONS);
  if (const int* code = std::get_if<int>(&how))
    return *code;
  const auto& given = std::get<search::options>(how);
  const auto code = !given.role.empty() ? search::run_role(given)
                    : given.cluster     ? search::run_cluster(given)
                                        : search::run(given);
  if (code)
    return *code;
  std::fprintf(stderr, "edupulse-search: %s\n", code.error().text.c_str());
  return code.error().code == edupulse::errc::invalid_option ? 2 : EXIT_FAILURE;
}
