// edupulse-search: the main job. Lessons go in as JSON Lines, three handlers work side by side on
// them, and the index answers queries in the end. Read `run` first: it is the whole story.

#include "clock.hpp"
#include "console.hpp"
#include "elasticsearch_index.hpp"
#include "feeder.hpp"
#include "fts5_index.hpp"
#include "handlers.hpp"
#include "lesson.capnp.h"
#include "meilisearch_index.hpp"
#include "options.hpp"
#include "progress_view.hpp"
#include "report.hpp"
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace edupulse::search {

namespace {

using namespace std::chrono_literals;

std::string text_of(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }

duration seconds_of(double value) {
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(value));
}

// -- the pieces -----------------------------------------------------------------------------

/// A directory for the index of one run, gone with the run.
class temporary_place {
public:
  ~temporary_place() {
    std::error_code ignored;
    if (!path_.empty())
      std::filesystem::remove_all(path_, ignored);
  }
  expected<std::filesystem::path> make() {
    std::error_code error;
    std::string name = (std::filesystem::temp_directory_path(error) / "edupulse-search-XXXXXX");
    if (error || ::mkdtemp(name.data()) == nullptr)
      return fail(errc::io,
                  "cannot make a directory for the index (" + name + "): give a file with --index");
    path_ = name;
    return path_ / "index.sqlite";
  }

private:
  std::filesystem::path path_;
};

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
    with.file = *made;
  }
  return std::make_unique<fts5_index>(with);
}

/// Errors: as `subscribe`.
expected<void> add_handlers(node& to, const options& how, std::shared_ptr<index_desk> desk,
                            notice_board& notices) {
  subscription_options patient;
  patient.overload = overload_policy::strict; // an index that is down stops us: no lesson is missed
  patient.time_limit = 60s;                   // above what a batch of slow requests may take
  auto indexing = to.subscribe(
      "lesson.>", "search-indexer",
      [desk = std::move(desk)] { return std::make_unique<indexer>(desk); }, patient);
  if (!indexing)
    return tl::unexpected(indexing.error());

  auto notifying = to.subscribe<LessonPublished>(
      "notifier", [&notices](LessonPublished::Reader lesson, const event_info&) {
        notices.new_lesson(text_of(lesson.getTeacherId()));
      });
  if (!notifying)
    return tl::unexpected(notifying.error());

  const audit_rules rules{how.fail_every, how.fail_every == 0 ? 0U : 251U};
  auto auditing = to.subscribe<LessonPublished>("auditor", [rules](LessonPublished::Reader lesson,
                                                                   const event_info& info) {
    return audit(text_of(lesson.getLessonId()), text_of(lesson.getTitle()), info.attempt(), rules);
  });
  return auditing ? expected<void>() : tl::unexpected(auditing.error());
}

// -- watching -------------------------------------------------------------------------------

/// Shows progress on a thread of its own: ten times a second on a terminal, else every two seconds.
class watcher {
public:
  watcher(const node& what, const feeder_counts& counts, std::uint64_t input_bytes, console& where)
      : node_(what), counts_(counts), input_bytes_(input_bytes), where_(where), started_(now()),
        thread_([this](std::stop_token stop) { watch(stop); }) {}

private:
  void watch(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any end;
    std::unique_lock lock(mutex);
    const auto every = where_.is_terminal() ? 100ms : 2000ms;
    while (!end.wait_for(lock, stop, every, [&] { return stop.stop_requested(); }))
      show();
    if (where_.is_terminal())
      where_.clear();
    else
      show(); // a log shows how it ended, however short it was
  }

  void show() {
    const auto total = node_.ledger().total();
    progress_numbers numbers;
    numbers.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now() - started_);
    numbers.published = counts_.published;
    numbers.handled = total.handled;
    numbers.queued = total.pending;
    numbers.failed_tries = total.retries + total.crashes;
    numbers.dead = total.dead;
    numbers.skipped = counts_.skipped;
    if (input_bytes_ > 0)
      numbers.fraction =
          static_cast<double>(counts_.bytes_done) / static_cast<double>(input_bytes_);
    if (where_.is_terminal())
      where_.redraw(progress_bar(numbers, where_.width() - 1));
    else
      where_.say(progress_plain(numbers));
  }

  const node& node_;
  const feeder_counts& counts_;
  std::uint64_t input_bytes_;
  console& where_;
  time_point started_;
  std::jthread thread_; // last: it uses the others
};

// -- the run --------------------------------------------------------------------------------

class input_file {
public:
  ~input_file() {
    if (fd_ > STDIN_FILENO)
      ::close(fd_);
  }
  expected<void> open(const std::string& name) {
    fd_ = name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (fd_ < 0 || ::fstat(fd_, &about) != 0)
      return fail(errc::io, "cannot open " + name + ": " + std::strerror(errno) +
                                "; give a file of JSON lines with --input");
    if (S_ISDIR(about.st_mode))
      return fail(errc::io, name + " is a directory; give a file of JSON lines with --input");
    size_ = S_ISREG(about.st_mode) ? static_cast<std::uint64_t>(about.st_size) : 0;
    return {};
  }
  int fd() const noexcept { return fd_; }
  std::uint64_t size() const noexcept { return size_; }

private:
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

/// Waits until all that was published is concluded. Interrupted, before or now, it waits five
/// seconds more. Errors: `timed_out`.
expected<void> drain(node& what, const interrupt& stop, duration patience) {
  auto until = now() + patience;
  bool hurried = false;
  expected<void> done;
  do {
    if (!hurried && stop.happened()) {
      hurried = true;
      until = std::min(until, now() + 5s);
    }
    done = what.drain(100ms);
  } while (!done && done.error().code == errc::timed_out && now() < until);
  return done;
}

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
  if (auto added = add_handlers(*node, how, desk, notices); !added)
    return tl::unexpected(added.error());
  if (how.redrive)
    redrive(*node, screen);

  const time_point started = now();
  line_reader lines(input.fd(), stop.fd());
  feeder feed(*node, stop, {how.rate, how.strict},
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
  const auto code = search::run(std::get<search::options>(how));
  if (code)
    return *code;
  std::fprintf(stderr, "edupulse-search: %s\n", code.error().text.c_str());
  return code.error().code == edupulse::errc::invalid_option ? 2 : EXIT_FAILURE;
}
