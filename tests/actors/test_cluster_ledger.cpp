// The ledger of a whole cluster, in virtual time: what real routers tell each other adds up.

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/sim_cluster.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

subscription_options patient() {
  subscription_options options;
  options.retry.first = 2ms;
  options.retry.cap = 20ms;
  options.retry.max_crashes = 1000;
  options.stall_after = 1h;
  return options;
}

/// All nodes have a reader, and know of all others.
void subscribe_all(sim_cluster& cluster, std::size_t nodes) {
  for (std::size_t at = 0; at < nodes; ++at)
    cluster.subscribe(at, "reader", "lesson.published.>", patient());
  const auto all_known = [&] {
    for (std::size_t at = 0; at < nodes; ++at)
      if (cluster.core(at).count_matching("lesson.published.a") != nodes)
        return false;
    return true;
  };
  REQUIRE(cluster.steps_until(all_known, 5000));
}

std::string reader(std::size_t at) { return "reader@n" + std::to_string(at); }

} // namespace

TEST_CASE("G44: lines of one subscription add up over its publishers, each event counted once") {
  sim_cluster cluster({.nodes = 3, .retry_chance = 0, .break_chance = 0});
  subscribe_all(cluster, 3);
  for (std::size_t from = 0; from < 3; ++from)
    for (std::size_t i = 0; i < 10 * (from + 1); ++i)
      cluster.publish(from, "a", "k" + std::to_string(i));
  cluster.publish(1, "nobody", "k");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  const auto all = cluster.ledgers(1);
  CHECK(all.nodes == std::vector<std::string>{"n0", "n1", "n2"});
  CHECK(all.silent.empty());
  CHECK(all.sum.balances());
  for (std::size_t at = 0; at < 3; ++at) {
    const auto* line = all.sum.find("lesson.published.a", reader(at));
    REQUIRE(line != nullptr);
    CHECK(line->published == 60);
    CHECK(line->handled == cluster.handled(at, "reader").size() - 1);
  }
  CHECK(all.sum.find("lesson.published.a", "reader") == nullptr);
  CHECK(all.sum.topics.at(0).published == 60);
  CHECK(all.sum.total().published == 3 * 61);
  for (const auto& line : all.sum.lines)
    CHECK_FALSE(line.received);
  CHECK(cluster.complaint == "");
}

namespace {
/// Only the last node dies.
void break_or_mend(sim_cluster& cluster, random_source& chance, std::size_t nodes) {
  const auto dice = chance.unit();
  const auto last = nodes - 1;
  if (dice < 0.05 && cluster.is_up(last))
    cluster.kill(last);
  else if (dice < 0.2 && !cluster.is_up(last))
    cluster.restart(last);
  else if (dice < 0.3)
    cluster.partition({chance.next() % nodes});
  else if (dice < 0.5)
    cluster.heal();
}
} // namespace

TEST_CASE("G44: the ledger of the cluster balances at any moment, through cuts, partitions, kills "
          "and restarts, and says who is missing") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < 60; ++round) {
    INFO("round " << round);
    random_source chance(seed + round);
    sim_cluster cluster(sim_cluster::random_trouble(chance));
    const auto nodes = cluster.size();
    subscribe_all(cluster, nodes);
    std::vector<std::uint64_t> published(nodes);
    const auto last = nodes - 1; // does not publish, and may die
    for (int turn = 0; turn < 40; ++turn) {
      break_or_mend(cluster, chance, nodes);
      for (auto n = chance.next() % 8; n > 0; --n) {
        const auto from = chance.next() % last;
        cluster.publish(from, "a", "k" + std::to_string(n));
        ++published[from];
      }
      const auto asker = chance.next() % last;
      const auto all = cluster.ledgers(asker, static_cast<int>(chance.next() % 20));
      REQUIRE(all.sum.balances());
      REQUIRE(all.nodes.size() + all.silent.size() == nodes);
      const std::set<std::string> told(all.nodes.begin(), all.nodes.end());
      std::uint64_t in_all = 0;
      for (std::size_t at = 0; at < nodes; ++at)
        if (told.contains("n" + std::to_string(at)))
          in_all += published[at];
      const auto* topic = all.sum.topics.empty() ? nullptr : &all.sum.topics.front();
      REQUIRE((topic == nullptr ? 0 : topic->published) == in_all);
    }
    cluster.mend();
    REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 60'000));
    auto all = cluster.ledgers(0);
    for (int tries = 0; tries < 100 && !all.silent.empty(); ++tries) {
      cluster.step(); // some have not met again
      all = cluster.ledgers(0);
    }
    REQUIRE(all.silent.empty());
    REQUIRE(all.sum.balances());
    const auto total = all.sum.total();
    REQUIRE(total.pending == 0);
    std::uint64_t in_all = 0;
    for (const auto n : published)
      in_all += n;
    for (std::size_t at = 0; at < nodes; ++at)
      REQUIRE(all.sum.of_subscription(reader(at)).published == in_all);
    REQUIRE(total.handled == nodes * in_all);
    REQUIRE(cluster.complaint == "");
  }
}

TEST_CASE("G44: a node that was killed is named for as long as it is expected back") {
  sim_cluster cluster({.nodes = 3, .retry_chance = 0, .break_chance = 0});
  subscribe_all(cluster, 3);
  cluster.publish(2, "a", "k");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  CHECK(cluster.ledgers(0).sum.total().published == 3);
  cluster.kill(2);
  const auto without = cluster.ledgers(0);
  CHECK(without.silent == std::vector<std::string>{"n2"});
  CHECK(without.nodes == std::vector<std::string>{"n0", "n1"});
  CHECK(without.sum.total().published == 0); // what it had published is gone with it
  CHECK(without.sum.balances());
  cluster.give_up(2);
  CHECK(cluster.ledgers(0).silent.empty());
}
