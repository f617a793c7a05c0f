// Plugins in a node: loaded, supervised, listed.

#include "tests/plugins/plugin_fixture.hpp"
#include <atomic>
#include <edupulse/plugin.hpp>

using namespace edupulse;
using edupulse::test::plugin_node;
using edupulse::test::plugin_path;
using edupulse::test::trouble;

TEST_CASE("G104: the handlers of a plugin are subscriptions of one scope, named after it") {
  plugin_node n;
  const auto loaded = n.plugins.load(plugin_path("tally_7_also"), {});
  REQUIRE(trouble(loaded) == "");
  CHECK(loaded->name == "tally");
  CHECK(loaded->version == "7.0.0");
  CHECK(loaded->state == "running");
  CHECK(loaded->previous_version.empty());
  CHECK(loaded->subscriptions == std::vector<std::string>{"tally.also", "tally.counter"});
  std::size_t found = 0;
  for (const auto& one : n.at.subscriptions())
    if (one.scope == "tally")
      ++found;
  CHECK(found == 2);
  n.publish("a", 1);
  n.publish("a", 2);
  n.await(2);
  CHECK(n.all()[1].count == 2);
  REQUIRE(n.plugins.type_of("tally.counted") != nullptr);
  CHECK(n.plugins.type_of("tally.counted")->schema().getProto().getId() ==
        event_traits<Counted>::type().schema_id);
  CHECK(n.plugins.type_of("lesson.withdrawn") != nullptr);
  CHECK(n.plugins.type_of("quiz.submitted") == nullptr);
  REQUIRE(n.plugins.list().size() == 1);
  CHECK(n.plugins.list()[0].file == plugin_path("tally_7_also").native());
}

TEST_CASE("G104: a second plugin of one name is refused, and the first goes on") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  const auto second = n.plugins.load(plugin_path("tally_2"), {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::duplicate_name);
  n.publish("a", 1);
  n.await(1);
  CHECK(n.all()[0].version == "1.0.0");
}

TEST_CASE("G104: a plugin whose subscription's name is taken leaves nothing behind") {
  plugin_node n;
  REQUIRE(n.at.subscribe<LessonPublished>("tally.counter", [](auto) {}));
  const auto refused = n.plugins.load(plugin_path("tally_7_also"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::duplicate_name);
  CHECK(refused.error().text.find("'tally.counter' on this node, and not of this plugin") !=
        std::string::npos);
  CHECK_FALSE(n.at.find("tally.also"));
  CHECK(n.plugins.list().empty());
  scope_options other;
  other.intensity = 77;
  CHECK(trouble(n.at.scope("tally", other)) == ""); // its scope is not there, either
}

TEST_CASE("G104: a plugin whose handler's constructor throws is refused, and leaves nothing") {
  plugin_node n;
  const auto refused = n.plugins.load(plugin_path("tally_3_throws"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK(refused.error().text.find("handler 'counter': its constructor threw: no database") !=
        std::string::npos);
  CHECK_FALSE(n.at.find("tally.counter"));
  CHECK(n.plugins.list().empty());
  CHECK(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
}

TEST_CASE("G104: settings are those that the plugin declares, of their types") {
  plugin_node n;
  const auto load = [&](const plugin_values& values) {
    return n.plugins.load(plugin_path("tally_1"), values);
  };
  for (const auto& [name, text] : plugin_values{{"turn", "1"},
                                                {"turns", "fast"},
                                                {"turns", "1.5"},
                                                {"rate", "half"},
                                                {"rate", "nan"},
                                                {"loud", "yes"}}) {
    const auto refused = load({{name, text}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::invalid_option);
    CHECK(refused.error().text.find(name) != std::string::npos);
  }
  CHECK(load({{"turns", "1"}, {"label", "x"}, {"rate", "2"}, {"loud", "true"}}));
}

TEST_CASE("G104: a poison event of a plugin's handler becomes a dead letter, and others flow") {
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  n.publish("bad", 0, "poison");
  for (int i = 0; i < 10; ++i)
    n.publish("good", i);
  n.await(10);
  edupulse::test::eventually([&] { return n.at.dead_letters()->size() == 1; });
  const auto letter = n.at.dead_letters()->front();
  CHECK(letter.subscription == "tally.counter");
  // The version that can digest it gets it again.
  REQUIRE(trouble(n.plugins.swap("tally", plugin_path("tally_2"), {})) == "");
  REQUIRE(n.at.redrive(letter.id));
  n.await(11);
  CHECK(n.all().back().lesson == "bad");
  REQUIRE(n.at.drain(std::chrono::seconds(30)));
  for (const auto& line : n.at.ledger().lines) {
    CHECK(line.balances());
    CHECK(line.dead == 0);
  }
}

TEST_CASE(
    "G104: a plugin's handler may be a CAF behavior, with its settings, and is swapped, too") {
  plugin_node n;
  const auto publish = [&] {
    REQUIRE(n.at.publish<LessonPublished>([](auto) {}, {.subject = "eu"}));
  };
  REQUIRE(trouble(n.plugins.load(plugin_path("actor_1"), {{"refuse", "true"}})) == "");
  publish();
  edupulse::test::eventually([&] { return n.at.dead_letters()->size() == 1; });
  CHECK(n.at.dead_letters()->front().reason == "1.0.0 has refused lesson.published.eu");
  REQUIRE(trouble(n.plugins.swap("actor", plugin_path("actor_2"), {})) == "");
  publish();
  REQUIRE(n.at.redrive_all("actor.handler"));
  REQUIRE(n.at.drain(std::chrono::seconds(30)));
  CHECK(n.at.dead_letters()->empty());
}

TEST_CASE("G104: the defaults of a plugin's handler are those of a subscription") {
  const plugin_handler_options ours;
  const subscription_options theirs;
  CHECK(ours.order == theirs.order);
  CHECK(ours.concurrency == theirs.concurrency);
  CHECK(ours.window == theirs.window);
  CHECK(ours.backlog_events == theirs.backlog_events);
  CHECK(ours.backlog_bytes == theirs.backlog_bytes);
  CHECK(ours.overload == theirs.overload);
  CHECK(ours.stall_after == theirs.stall_after);
  CHECK(ours.retry == theirs.retry);
  CHECK(ours.time_limit == theirs.time_limit);
  CHECK(ours.execution == theirs.execution);
  CHECK(ours.restart == theirs.restart);
  CHECK(ours.quarantine == theirs.quarantine);
  CHECK(ours.dead == theirs.dead);
}

TEST_CASE(
    "G104: events of a type that only a plugin brings reach nodes that have no schema of it") {
  const auto named = [](const char* name, std::vector<std::string> join = {}) {
    node_options how;
    how.name = name;
    how.log = log_level::off;
    how.cluster.listen = "127.0.0.1:0";
    how.cluster.join = std::move(join);
    how.cluster.profile = network_profile::local;
    return how;
  };
  auto knows_nothing = node::start(named("reader")).value();
  auto has_plugin = node::start(named("tally", {knows_nothing.address()})).value();
  auto plugins = plugin_host::open(has_plugin, {.probe = PROBE}).value();
  REQUIRE(trouble(plugins.load(plugin_path("tally_1"), {})) == "");

  std::atomic<int> seen = 0;
  REQUIRE(knows_nothing.subscribe("tally.>", "raw", [&](const envelope& event) {
    ++seen;
    if (event.name() != "tally.counted" || event.payload_words().empty())
      return outcome::reject("this is another event than was published");
    return seen == 1 ? outcome::reject("it is of no use here") : outcome::ok();
  }));
  REQUIRE(has_plugin.ready("tally.counted", 1, std::chrono::seconds(30)));
  for (int i = 0; i < 2; ++i)
    REQUIRE(has_plugin.publish<LessonPublished>([](auto to) { to.setLessonId("a"); }));
  edupulse::test::eventually([&] { return seen == 2; });
  const auto letters = [&] { return knows_nothing.dead_letters().value(); };
  edupulse::test::eventually([&] { return letters().size() == 1; });
  CHECK(letters().front().subscription == "raw");
  CHECK(letters().front().reason == "it is of no use here");
  CHECK(letters().front().event->name() == "tally.counted");
  CHECK(plugins.type_of("tally.counted") != nullptr);
  REQUIRE(has_plugin.drain(std::chrono::seconds(30)));
  for (const auto& line : has_plugin.ledger().lines)
    CHECK(line.balances());
}
