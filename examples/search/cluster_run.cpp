// The story: three nodes on loopback. `publisher` is this process and reads the lessons; `indexer`
// and `notifier` are processes of their own. Half-way `indexer` is killed as kill -9 does it, the
// publishing goes on, and a while later it is started again and gets what it was owed.

#include "cluster_run.hpp"
#include "child_process.hpp"
#include "clock.hpp"
#include "cluster_role.hpp"
#include "console.hpp"
#include "input_file.hpp"
#include "json_text.hpp"
#include "progress_view.hpp"
#include "report.hpp"
#include "temporary_place.hpp"
#include "watcher.hpp"
#include <cstdio>
#include <cstdlib>

namespace edupulse::search {

namespace {

using namespace std::chrono_literals;

constexpr double calm_rate = 500;     ///< events a second, slow enough to watch
constexpr std::uint64_t middle = 500; ///< where half-way is when the input's size is not known
constexpr std::uint64_t away_at_most = 2000; ///< events; a quarter of what is kept for a node
constexpr std::size_t subscriptions = 3;     ///< the indexer's, the notifier's and the auditor's

/// The other two processes.
struct children {
  const options& how;
  const interrupt& stop;
  console& screen;
  std::filesystem::path place;
  std::string join;
  std::unique_ptr<child_process> indexer{};
  std::unique_ptr<child_process> notifier{};

  expected<std::unique_ptr<child_process>> start(const std::string& role) const {
    const auto dir = place / role;
    std::error_code ignored;
    std::filesystem::create_directory(dir, ignored); // the node says what is wrong with it
    return child_process::start(role,
                                {"--role", role, "--join", join, "--dir", dir, "--limit",
                                 std::to_string(how.limit), "--fail-every",
                                 std::to_string(how.fail_every)},
                                place / (role + ".err"));
  }
  /// Errors: of the start, or of the first words.
  expected<void> start_both() {
    for (auto [role, into] : {std::pair(indexing_role, &indexer), {notifying_role, &notifier}}) {
      auto started = start(role);
      if (!started)
        return tl::unexpected(started.error());
      *into = std::move(*started);
    }
    for (auto* one : {&*indexer, &*notifier})
      if (auto up = one->read_line(10s, stop); !up)
        return tl::unexpected(up.error());
    return {};
  }
  expected<void> start_indexer_again() {
    auto started = start(indexing_role);
    if (!started)
      return tl::unexpected(started.error());
    indexer = std::move(*started);
    auto up = indexer->read_line(10s, stop);
    return up ? expected<void>() : tl::unexpected(up.error());
  }
  void end() {
    for (auto* one : {indexer.get(), notifier.get()})
      if (one != nullptr)
        one->stop(stop.happened() ? 300ms : 3s);
  }
};

/// Kills and starts the indexer while lessons are published.
class interruption {
public:
  interruption(const node& from, children& who, const feeder_counts& counts, std::uint64_t bytes)
      : node_(from), who_(who), counts_(counts), bytes_(bytes) {}

  /// After each line. False: something went wrong, see `trouble`.
  bool look() {
    for (auto* one : {who_.indexer.get(), who_.notifier.get()})
      if (one != nullptr && one->has_ended() && !(one == who_.indexer.get() && is_away()))
        return note(one->read_line(0s, who_.stop).map([](const std::string&) {}));
    if (now_ == stage::before && half_way())
      kill();
    else if (is_away() && (three_quarters() || counts_.published - killed_at_ >= away_at_most))
      return restart();
    return true;
  }
  /// Whatever was left to do: a short input has no third quarter.
  bool finish() {
    if (now_ == stage::before)
      kill();
    return !is_away() || restart();
  }
  const std::optional<error>& trouble() const noexcept { return trouble_; }

private:
  enum class stage : std::uint8_t { before, away, after };
  bool is_away() const noexcept { return now_ == stage::away; }
  bool half_way() const {
    return bytes_ > 0 ? counts_.bytes_done * 2 >= bytes_ : counts_.published >= middle;
  }
  bool three_quarters() const {
    return bytes_ > 0 ? counts_.bytes_done * 4 >= bytes_ * 3
                      : counts_.published >= middle + middle / 2;
  }
  std::string owed() const {
    return with_commas(node_.ledger().of_subscription("search-indexer@indexer").pending);
  }
  void kill() {
    const auto pid = who_.indexer->pid();
    who_.indexer->kill();
    now_ = stage::away;
    killed_at_ = counts_.published;
    who_.screen.say("indexer (pid " + std::to_string(pid) + ") is killed with SIGKILL after " +
                    with_commas(killed_at_) + " events; publishing goes on");
  }
  bool restart() {
    const auto waiting = owed();
    now_ = stage::after;
    const bool good = note(who_.start_indexer_again());
    if (good)
      who_.screen.say("indexer is started again (pid " + std::to_string(who_.indexer->pid()) +
                      ") after " + with_commas(counts_.published) + " events; " + waiting +
                      " of them wait for it");
    return good;
  }
  bool note(const expected<void>& what) {
    if (!what)
      trouble_ = what.error();
    return what.has_value();
  }

  const node& node_;
  children& who_;
  const feeder_counts& counts_;
  std::uint64_t bytes_;
  stage now_ = stage::before;
  std::uint64_t killed_at_ = 0;
  std::optional<error> trouble_;
};

// -- the end of the story -------------------------------------------------------------------

std::string members_table(const node& what) {
  std::vector<std::vector<std::string>> rows = {{"node", "state", "starts", "address"}};
  for (const auto& one : what.members())
    rows.push_back(
        {one.name, std::string(to_string(one.state)), std::to_string(one.epoch), one.address});
  return aligned_table(rows, 0);
}

std::string in_words(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& one : names)
    text += (text.empty() ? "" : ", ") + one;
  return text;
}

struct ending {
  std::string page;
  bool good = true;
};

/// The one of the cluster counts each event once, where it was published; that of a node has what
/// it received since its start.
expected<void> add_ledgers(ending& to, const node& publisher, children& others, bool colors) {
  const auto whole = publisher.cluster_ledger(5s);
  if (!whole)
    return tl::unexpected(whole.error());
  to.page += "\n" + heading("Ledger of the cluster: " + in_words(whole->nodes), colors) + "\n" +
             to_string(whole->sum);
  if (!whole->silent.empty())
    to.page += "Without an answer: " + in_words(whole->silent) + "\n";
  to.good = to.good && whole->sum.balances() && whole->silent.empty();
  for (auto* one : {&*others.indexer, &*others.notifier}) {
    const auto line = one->ask("report", 5s, others.stop);
    if (!line)
      return tl::unexpected(line.error());
    const auto said = json_document::parse(*line);
    if (!said)
      return tl::unexpected(said.error());
    const auto root = said->root();
    to.good = to.good && root["balanced"].truth();
    to.page += "\n" + heading("Ledger of " + one->name() + ", since its start", colors) + "\n" +
               root["ledger"].text();
    if (root["dead"].number() > 0)
      to.page +=
          "\n" + heading("Dead letters of " + one->name(), colors) + "\n" + root["letters"].text();
  }
  return {};
}

expected<void> add_answers(ending& to, const options& how, children& others, bool colors) {
  for (const auto& query : how.queries) {
    const auto line = others.indexer->ask(query, 5s, others.stop);
    if (!line)
      return tl::unexpected(line.error());
    const auto said = json_document::parse(*line);
    if (!said)
      return tl::unexpected(said.error());
    to.good = to.good && said->root()["answered"].truth();
    to.page += "\n" +
               heading("Lessons about \"" + fit(query, 80) + "\", answered by indexer", colors) +
               "\n" + said->root()["titles"].text();
  }
  return {};
}

expected<ending> tell(const node& publisher, const options& how, children& others,
                      const feeder_counts& counts, double seconds) {
  ending all;
  const bool colors = colors_wanted();
  char time[32];
  std::snprintf(time, sizeof time, "%.1f", seconds);
  all.page = heading("Summary", colors) + "\n" + with_commas(counts.published) +
             " events published in " + time + " s, " + with_commas(counts.skipped) +
             " lines skipped\n\n" + heading("Members, as publisher sees them", colors) + "\n" +
             members_table(publisher);
  if (auto good = add_ledgers(all, publisher, others, colors); !good)
    return tl::unexpected(good.error());
  if (auto good = add_answers(all, how, others, colors); !good)
    return tl::unexpected(good.error());
  return all;
}

// -- the run ----------------------------------------------------------------------------------

node_options options_of_publisher(const std::filesystem::path& place, console& screen,
                                  const options& how) {
  node_options with;
  with.name = "publisher";
  with.data_dir = place / "publisher";
  with.cluster.listen = "127.0.0.1:0";
  with.cluster.profile = network_profile::local;
  with.log = how.verbose ? log_level::info : log_level::error;
  with.log_sink = [&screen](log_level, std::string_view line) { screen.say(std::string(line)); };
  return with;
}

constexpr int interrupted_code = 130; // 128 + SIGINT, as shells say it

/// Publishes everything and waits until it is concluded. Errors: of what has ended by itself.
expected<void> publish_all(node& from, const options& how, children& others,
                           const input_file& input, feeder& feed, interruption& breaks) {
  line_reader lines(input.fd(), others.stop.fd());
  std::optional<watcher> watching;
  if (!how.quiet)
    watching.emplace(from, feed.counts(), input.size(), others.screen);
  const auto fed = feed.run(lines);
  if (!breaks.trouble() && !others.stop.happened())
    breaks.finish();
  if (breaks.trouble())
    return tl::unexpected(*breaks.trouble());
  const auto drained = drain(from, others.stop, 60s, 500ms);
  watching.reset();
  if (!fed)
    return fed;
  if (!drained && !others.stop.happened())
    others.screen.say("not everything was handled: " + drained.error().text);
  return {};
}

} // namespace

expected<int> run_cluster(const options& how) {
  const interrupt stop;
  console screen;
  temporary_place place;
  input_file input;
  if (auto opened = input.open(how.input); !opened)
    return tl::unexpected(opened.error());
  const auto dir = place.make();
  if (!dir)
    return tl::unexpected(dir.error());
  auto node = node::start(options_of_publisher(*dir, screen, how));
  if (!node)
    return tl::unexpected(node.error());
  children others{how, stop, screen, *dir, node->address()};
  const auto ended = [&](const error& why) -> expected<int> {
    others.end();
    node->stop(0s);
    return stop.happened() ? expected<int>(interrupted_code) : tl::unexpected(why);
  };
  if (auto started = others.start_both(); !started)
    return ended(started.error());
  if (auto met = node->ready("lesson.published", subscriptions, 10s); !met)
    return ended(met.error());
  screen.say("Three nodes on loopback are one cluster: publisher (this process), indexer (pid " +
             std::to_string(others.indexer->pid()) + "), notifier (pid " +
             std::to_string(others.notifier->pid()) + ")");

  const auto started = now();
  std::optional<interruption> breaks;
  feeder feed(*node, stop,
              {how.rate > 0 ? how.rate : calm_rate, how.strict, [&] { return breaks->look(); }},
              [&](const std::string& line) { screen.say(line); });
  breaks.emplace(*node, others, feed.counts(), input.size());
  if (auto done = publish_all(*node, how, others, input, feed, *breaks); !done)
    return ended(done.error());
  if (stop.happened())
    return ended({errc::stopping, "interrupted"});
  const auto seconds = std::chrono::duration<double>(now() - started).count();
  const auto all = tell(*node, how, others, feed.counts(), seconds);
  if (!all)
    return ended(all.error());
  std::fputs(all->page.c_str(), stdout);
  others.end();
  node->stop(0s);
  if (!all->good)
    return EXIT_FAILURE;
  return feed.counts().skipped > 0 ? 3 : EXIT_SUCCESS;
}

} // namespace edupulse::search
