// One version of a plugin takes over from another, under load.

#include "tests/plugins/plugin_fixture.hpp"
#include <algorithm>
#include <atomic>
#include <thread>

using namespace edupulse;
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
            n.publish("lesson-" + std::to_string(published_ % 7), published_);
            if (published_ > 256)
              n.await(static_cast<std::size_t>(published_) - 256);
          }
        }) {}
  ~load() { end(); }
  int end() {
    ended_ = true;
    if (thread_.joinable())
      thread_.join();
    return published_;
  }

private:
  std::atomic<bool> ended_{false};
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
  CHECK(refused.error().text.find("concurrency") != std::string::npos);
  CHECK_FALSE(n.plugins.swap("other", plugin_path("tally_2"), {}));
  CHECK_FALSE(n.plugins.swap("tally", plugin_path("unruly_throws"), {}));
  CHECK_FALSE(n.plugins.rollback("tally"));
  CHECK_FALSE(n.plugins.rollback("other"));
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
