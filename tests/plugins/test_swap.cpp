// One version of a plugin takes over from another, under load.

#include "runtime/plugins/declared.hpp"
#include "tests/plugins/plugin_fixture.hpp"
#include <algorithm>
#include <atomic>
#include <thread>

using namespace edupulse;
using namespace std::chrono_literals;
using edupulse::test::eventually;
using edupulse::test::plugin_node;
using edupulse::test::plugin_path;
using edupulse::test::trouble;

namespace {

/// Every event was counted once, and each lesson's counts go up by one, whoever counted.
void check_nothing_lost_or_twice(const plugin_node& n, int published) {
  std::map<std::string, std::uint64_t> last;
  std::map<std::string, int> seen;
  bool in_order = true;
  for (const auto& one : n.all()) {
    in_order = in_order && one.count == ++last[one.lesson];
    ++seen[one.number];
  }
  CHECK(in_order);
  REQUIRE(seen.size() == static_cast<std::size_t>(published));
  CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& one) { return one.second == 1; }));
}

/// Publishes until it is told to stop, with at most 256 events on their way.
class load {
public:
  explicit load(plugin_node& n)
      : thread_([this, &n] {
          for (; !ended_; ++published_) {
            refused_ += !n.try_publish("lesson-" + std::to_string(published_ % 7), published_);
            if (published_ > 256)
              n.await(static_cast<std::size_t>(published_) - 256);
          }
        }) {}
  ~load() { end(); }
  int end() {
    ended_ = true;
    if (thread_.joinable())
      thread_.join();
    CHECK(refused_ == 0);
    return published_;
  }

private:
  std::atomic<bool> ended_{false};
  std::atomic<int> refused_{0};
  std::atomic<int> published_{0};
  std::thread thread_;
};

} // namespace

TEST_CASE(
    "G105: swaps and rollbacks under load lose nothing, repeat nothing, and hand state over") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  load publisher(n);
  n.await(100);
  for (int round = 0; round < 10; ++round) {
    const auto swapped = n.plugins.swap("tally", plugin_path("tally_2"), {});
    REQUIRE(trouble(swapped) == "");
    CHECK(swapped->from == "1.0.0");
    CHECK(swapped->to == "2.0.0");
    CHECK(swapped->handed_over == std::vector<std::string>{"tally.counter"});
    CHECK(swapped->not_handed_over.empty());
    n.await(n.count() + 10);
    const auto back = n.plugins.rollback("tally");
    REQUIRE(trouble(back) == "");
    CHECK(back->to == "1.0.0");
    n.await(n.count() + 10);
  }
  const int published = publisher.end();
  n.await(static_cast<std::size_t>(published));
  check_nothing_lost_or_twice(n, published);
  std::size_t by_second = 0;
  for (const auto& one : n.all())
    by_second += one.version == "2.0.0" ? 1 : 0;
  CHECK(by_second > 0);
}

TEST_CASE("G105: a version whose constructor throws changes nothing") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  n.publish("a", 0);
  n.await(1);
  const auto refused = n.plugins.swap("tally", plugin_path("tally_3_throws"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("no database") != std::string::npos);
  CHECK(n.plugins.list()[0].version == "1.0.0");
  n.publish("a", 1);
  n.await(2);
  CHECK(n.all()[1].count == 2); // the old object is still there
}

TEST_CASE(
    "G105: a version that cannot take the state over leaves it, and the events, to the old one") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  load publisher(n);
  n.await(100);
  const auto refused = n.plugins.swap("tally", plugin_path("tally_4_chokes"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("cannot read this") != std::string::npos);
  CHECK(refused.error().text.find("stays at 1.0.0") != std::string::npos);
  n.await(n.count() + 10);
  const int published = publisher.end();
  n.await(static_cast<std::size_t>(published));
  check_nothing_lost_or_twice(n, published);
  CHECK(n.plugins.list()[0].version == "1.0.0");
  CHECK(n.plugins.list()[0].previous_version.empty());
}

TEST_CASE("G105: without snapshot and restore a new version begins anew") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  n.publish("a", 0);
  n.await(1);
  const auto swapped = n.plugins.swap("tally", plugin_path("tally_5_forgets"), {});
  REQUIRE(trouble(swapped) == "");
  n.publish("a", 1);
  n.await(2);
  CHECK(n.all()[1].count == 1);
}

TEST_CASE("G105: handlers that only one version has come and go with it") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  const auto there = n.plugins.swap("tally", plugin_path("tally_7_also"), {});
  REQUIRE(trouble(there) == "");
  CHECK(there->added == std::vector<std::string>{"tally.also"});
  CHECK(n.at.find("tally.also"));
  const auto back = n.plugins.rollback("tally");
  REQUIRE(trouble(back) == "");
  CHECK(back->removed == std::vector<std::string>{"tally.also"});
  CHECK_FALSE(n.at.find("tally.also"));
  // And forth again: a rollback can be taken back.
  REQUIRE(trouble(n.plugins.rollback("tally")) == "");
  CHECK(n.at.find("tally.also"));
}

TEST_CASE("G105: a swap that would change how events come to a handler is refused") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  const auto refused = n.plugins.swap("tally", plugin_path("tally_6_wider"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("in its handler 'counter' `concurrency` 2, and 1.0.0 has 1") !=
        std::string::npos);
  CHECK_FALSE(n.plugins.swap("other", plugin_path("tally_2"), {}));
  CHECK_FALSE(n.plugins.swap("tally", plugin_path("unruly_throws"), {}));
  CHECK_FALSE(n.plugins.rollback("tally"));
  CHECK_FALSE(n.plugins.rollback("other"));
}

TEST_CASE("G105: an option that a swap cannot change is refused by name, with both values") {
  using options = plugin_handler_options;
  const auto difference = [](const options& before, const options& after) {
    const plugin from = plugin("p", "1").handler<LessonPublished>(
        "h", [](auto) {}, before);
    const plugin to = plugin("p", "2").handler<LessonPublished>(
        "h", [](auto) {}, after);
    const auto refused = check_swap(from, to);
    return refused ? "" : refused.error().text.substr(0, refused.error().text.find(':'));
  };
  const auto says = [](const char* what) {
    return std::string("version 2 of plugin 'p' has in its handler 'h' ") + what;
  };
  CHECK(difference({}, {.filter = "lesson.*"}) == says("`filter` \"lesson.*\", and 1 has none"));
  CHECK(difference({.group = "a"}, {.group = "b"}) == says("`group` \"b\", and 1 has \"a\""));
  CHECK(difference({}, {.order = event_order::strict}) == says("`order` strict, and 1 has keyed"));
  CHECK(difference({}, {.window = 5}) == says("`window` 5, and 1 has 1024"));
  CHECK(difference({}, {.backlog_events = 9}) == says("`backlog_events` 9, and 1 has 8192"));
  CHECK(difference({}, {.backlog_bytes = 9000}) == says("`backlog_bytes` 9000, and 1 has 4194304"));
  CHECK(difference({}, {.overload = overload_policy::drop_oldest}) ==
        says("`overload` dropOldest, and 1 has wait"));
  CHECK(difference({}, {.stall_after = 1500us}) ==
        says("`stall_after` 1500000 ns, and 1 has 2000 ms"));
  CHECK(difference({}, {.dead = after_dead_letter::pause_key}) ==
        says("`dead` pauseKey, and 1 has next"));
  CHECK(difference({}, {.retry = {.first = 1s}}) == "");
  CHECK(difference({}, {.time_limit = 1s, .execution = execution_place::own_thread}) == "");
  CHECK(difference({}, {.restart = restart_kind::transient,
                        .quarantine = quarantine_policy::dead_letter}) == "");
  CHECK(difference({}, {.retry = {.factor = 0.5}}) == "handler 'h'"); // no value that it may have
  const plugin other = plugin("p", "2").handler<LessonWithdrawn>("h", [](auto) {});
  CHECK(check_swap(plugin("p", "1").handler<LessonPublished>("h", [](auto) {}), other)
            .error()
            .text.find("`event` \"lesson.withdrawn\", and 1 has \"lesson.published\"") !=
        std::string::npos);
  CHECK(check_swap(plugin("p", "1"),
                   plugin("p", "2").scope({.strategy = restart_strategy::rest_for_one}))
            .error()
            .text.find("in its scope `strategy` restForOne, and 1 has oneForOne") !=
        std::string::npos);
}

TEST_CASE("G105: how often a new version tries an event, and may end, takes effect with the swap") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  const auto attempts_at_poison = [&] {
    n.publish("a", 0, "poison");
    eventually([&] { return n.at.dead_letters()->size() == 1; });
    const auto letter = n.at.dead_letters()->front();
    REQUIRE(n.at.discard(letter.id));
    return letter.attempts.size();
  };
  REQUIRE(trouble(n.plugins.swap("tally", plugin_path("tally_8_hasty"), {})) == "");
  CHECK(attempts_at_poison() == 1);
  REQUIRE(trouble(n.plugins.rollback("tally")) == "");
  CHECK(attempts_at_poison() == 5);
}

TEST_CASE("G105: an event that waits for its next try, or was put off, is given to the new version "
          "once, and in order") {
  const auto* const how = GENERATE("poison", "later");
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  constexpr int keys = 5;
  for (int i = 0; i < keys; ++i)
    n.publish("lesson-" + std::to_string(i), i, how);
  for (int i = keys; i < 8 * keys; ++i)
    n.publish("lesson-" + std::to_string(i % keys), i);
  // Each of the first ones was tried.
  eventually([&] {
    const auto at = n.at.ledger().lines.at(0);
    return how == std::string_view("poison") ? at.crashes >= keys
                                             : n.at.subscriptions().at(1).in_flight >= keys;
  });
  REQUIRE(trouble(n.plugins.swap("tally", plugin_path("tally_2"), {})) == "");
  n.await(8 * keys);
  REQUIRE(n.at.drain(std::chrono::seconds(30)));
  check_nothing_lost_or_twice(n, 8 * keys);
  std::map<std::string, int> last;
  for (const auto& one : n.all()) {
    CHECK(one.version == "2.0.0");
    CHECK(std::stoi(one.number) >= last[one.lesson]);
    last[one.lesson] = std::stoi(one.number);
  }
  CHECK(n.at.dead_letters()->empty());
}

TEST_CASE("G105: each of several handlers hands its state to the one with the same keys") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_6_wider"), {})) == "");
  for (int i = 0; i < 20; ++i)
    n.publish("lesson-" + std::to_string(i % 5), i);
  n.await(20);
  REQUIRE(trouble(n.plugins.swap("tally", plugin_path("tally_6_wider"), {})) == "");
  for (int i = 20; i < 40; ++i)
    n.publish("lesson-" + std::to_string(i % 5), i);
  n.await(40);
  check_nothing_lost_or_twice(n, 40);
}
