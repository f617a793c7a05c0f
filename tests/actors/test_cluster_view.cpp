// What one node knows of the subscriptions and topics of all: real routers, in virtual time.

#include "tests/support/catch.hpp"
#include "tests/support/sim_cluster.hpp"
#include <algorithm>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

using lines = std::vector<std::string>;

/// "reader@n0 lesson.> indexers"
lines subscriptions_at(sim_cluster& cluster, std::size_t at) {
  lines all;
  for (const auto& one : cluster.core(at).cluster_subscriptions())
    all.push_back(one.name + "@" + one.node + " " + one.filter +
                  (one.group.empty() ? "" : " " + one.group));
  return all;
}

/// "lesson.published.a 2 0 1": published, of that for nobody, and subscriptions
lines lines_of(const std::vector<topic_status>& topics) {
  lines all;
  for (const auto& one : topics)
    all.push_back(one.topic + " " + std::to_string(one.published) + " " +
                  std::to_string(one.no_subscriber) + " " + std::to_string(one.subscriptions));
  return all;
}

bool all_know(sim_cluster& cluster, const lines& what) {
  for (std::size_t at = 0; at < cluster.size(); ++at)
    if (cluster.is_up(at) && subscriptions_at(cluster, at) != what)
      return false;
  return true;
}

sim_cluster::settings peaceful(std::size_t nodes) {
  return {.nodes = nodes, .retry_chance = 0, .break_chance = 0};
}

subscription_options in_group(const std::string& name) {
  subscription_options options;
  options.group = name;
  return options;
}

/// On one node, without others.
struct alone {
  router core{{.node_name = "here"}};
  effect_list asked;
  time_point now{};

  void subscribe(const std::string& name, const std::string& filter) {
    REQUIRE(core.subscribe(name, *topic_filter::parse(filter), {}, now, asked));
  }
  void publish(const std::string& name) {
    auto events = std::make_shared<chunk>();
    events->entries.push_back(make_entry(make_event({.name = name})));
    core.on_events(events, now, asked);
  }
};

} // namespace

TEST_CASE("G45: every node lists the subscriptions of all, by node and name, as they come and go") {
  sim_cluster cluster(peaceful(3));
  cluster.subscribe(2, "search", "lesson.*", in_group("indexers"));
  cluster.subscribe(2, "audit", ">");
  cluster.subscribe(0, "search", "lesson.*", in_group("indexers"));
  const lines of_all{"search@n0 lesson.* indexers", "audit@n2 >", "search@n2 lesson.* indexers"};
  REQUIRE(cluster.steps_until([&] { return all_know(cluster, of_all); }, 1000));
  cluster.unsubscribe(2, "audit");
  const lines fewer{"search@n0 lesson.* indexers", "search@n2 lesson.* indexers"};
  REQUIRE(cluster.steps_until([&] { return all_know(cluster, fewer); }, 1000));
  CHECK(cluster.complaint == "");
}

TEST_CASE(
    "G45: subscriptions of a node believed dead are not listed until it is back; those of one "
    "that is only cut off are") {
  sim_cluster cluster(peaceful(2));
  cluster.subscribe(1, "reader", "lesson.>");
  const lines known{"reader@n1 lesson.>"};
  REQUIRE(cluster.steps_until([&] { return all_know(cluster, known); }, 1000));
  cluster.partition({1});
  cluster.step();
  CHECK(subscriptions_at(cluster, 0) == known);
  cluster.believe_dead(0, 1);
  CHECK(subscriptions_at(cluster, 0).empty());
  cluster.heal();
  REQUIRE(cluster.steps_until([&] { return all_know(cluster, known); }, 1000));
}

TEST_CASE("G45: a topic is listed once with what all have published, and who is subscribed to it") {
  sim_cluster cluster(peaceful(3));
  for (const std::size_t at : {0u, 1u})
    cluster.subscribe(at, "search", "lesson.published.a", in_group("indexers"));
  cluster.subscribe(2, "audit", "lesson.>");
  const lines known{"search@n0 lesson.published.a indexers",
                    "search@n1 lesson.published.a indexers", "audit@n2 lesson.>"};
  REQUIRE(cluster.steps_until([&] { return all_know(cluster, known); }, 1000));
  cluster.publish(1, "a", "k");
  cluster.publish(1, "a", "k");
  cluster.publish(2, "b", "k");
  cluster.publish(0, "a", "k");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  const auto all = cluster.ledgers(1).sum.topics;
  CHECK(lines_of(cluster.core(1).topics(all)) ==
        lines{"lesson.published.a 3 0 2", "lesson.published.b 1 0 1"});
  CHECK(lines_of(cluster.core(1).topics()) == lines{"lesson.published.a 2 0 2"});
  CHECK(lines_of(cluster.core(2).topics()) == // it was sent what it has not published
        lines{"lesson.published.a 0 0 2", "lesson.published.b 1 0 1"});
  CHECK(cluster.complaint == "");
}

TEST_CASE(
    "G45: a topic of the runtime's is not listed until somebody was given one of its events") {
  alone at;
  at.publish("$cluster.member.joined");
  at.publish("nobody.asked");
  CHECK(lines_of(at.core.topics()) == lines{"nobody.asked 1 1 0"});
  at.subscribe("watch", "$cluster.member.*");
  at.publish("$cluster.member.joined");
  CHECK(lines_of(at.core.topics()) == lines{"$cluster.member.joined 2 1 1", "nobody.asked 1 1 0"});
  CHECK(at.core.cluster_subscriptions().size() == 1);
}

TEST_CASE("G45: topics without a line of their own are one, which no subscription matches") {
  alone at;
  at.subscribe("all", ">");
  for (std::size_t i = 0; i <= ledger::max_topics; ++i)
    at.publish("t" + std::to_string(i));
  const auto topics = at.core.topics();
  REQUIRE(topics.size() == ledger::max_topics + 1);
  CHECK(lines_of(topics).back() == "(other topics) 1 0 0");
  CHECK(topics.front().subscriptions == 1);
}
