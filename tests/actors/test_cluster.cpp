// A simulated cluster: real routers, real frames, faults by seed. First things go wrong for a while
// (safety: nothing is handled twice by one start of a node, keys stay in order), then nothing does
// any more, and everything has to come to its end (liveness).

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/sim_cluster.hpp"
#include <algorithm>
#include <cstdlib>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

std::uint64_t rounds(std::uint64_t n) {
  return std::getenv("EDUPULSE_SOAK") != nullptr ? 33 * n : n;
}

subscription_options patient() {
  subscription_options options;
  options.retry.first = 2ms;
  options.retry.cap = 20ms;
  options.retry.max_crashes = 1000;
  options.stall_after = 1h; // nothing is shed: whatever is published must be handled
  return options;
}

/// What was published of one key, in order.
using by_key = std::map<std::pair<std::size_t, std::string>, std::vector<std::string>>;

bool is_subsequence_in_order(const std::vector<std::string>& published,
                             const std::vector<std::string>& handled) {
  // First handlings are in publish order: repeats are of what was seen.
  std::set<std::string> wanted(published.begin(), published.end());
  std::set<std::string> seen;
  std::size_t next = 0;
  for (const auto& id : handled) {
    if (!wanted.contains(id) || !seen.insert(id).second)
      continue;
    while (next < published.size() && published[next] != id)
      ++next;
    if (next == published.size())
      return false;
  }
  return true;
}

bool has_repeats(std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  return std::adjacent_find(ids.begin(), ids.end()) != ids.end();
}

} // namespace

TEST_CASE("G2: an event published on one node is handled by every matching subscription of all") {
  sim_cluster cluster({.nodes = 3, .retry_chance = 0, .break_chance = 0});
  for (std::size_t at = 0; at < 3; ++at)
    cluster.subscribe(at, "reader", "lesson.published.>", patient());
  cluster.subscribe(2, "other", "lesson.published.b", patient());
  cluster.steps_until([&] { return cluster.core(0).count_matching("lesson.published.b") == 4; },
                      1000);
  REQUIRE(cluster.core(0).count_matching("lesson.published.b") == 4);
  const auto a = cluster.publish(0, "a", "k");
  const auto b = cluster.publish(0, "b", "k");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 2000));
  for (std::size_t at = 0; at < 3; ++at)
    CHECK(cluster.handled(at, "reader") == std::vector{a, b});
  CHECK(cluster.handled(2, "other") == std::vector{b});
  const auto book = cluster.core(0).ledger_snapshot();
  CHECK(book.balances());
  CHECK(book.of_subscription("reader@n1").handled == 2);
  CHECK(book.of_subscription("other@n2").handled == 1);
  CHECK(cluster.complaint == "");
}

TEST_CASE(
    "G19: unsubscribing on one node stops what others send to it, and nothing is lost silently") {
  sim_cluster cluster({.nodes = 2, .work_chance = 0.1, .retry_chance = 0, .break_chance = 0});
  cluster.subscribe(1, "reader", "lesson.published.>", patient());
  cluster.steps_until([&] { return cluster.core(0).count_matching("lesson.published.a") == 1; },
                      1000);
  for (int i = 0; i < 50; ++i)
    cluster.publish(0, "a", "k" + std::to_string(i));
  for (int i = 0; i < 5; ++i)
    cluster.step();
  cluster.unsubscribe(1, "reader");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 2000));
  CHECK(cluster.core(0).count_matching("lesson.published.a") == 0);
  const auto line = cluster.core(0).ledger_snapshot().of_subscription("reader@n1");
  CHECK(line.published == 50);
  CHECK(line.handled == cluster.handled(1, "reader").size());
  CHECK(line.handled + line.dropped_for(drop_reason::unsubscribed) == 50);
  CHECK(cluster.complaint == "");
}

TEST_CASE("G2, G3: a partition that heals loses nothing, repeats nothing and keeps keys in order") {
  sim_cluster cluster({.nodes = 4, .break_chance = 0});
  for (std::size_t at = 0; at < 4; ++at)
    cluster.subscribe(at, "reader", "lesson.published.>", patient());
  cluster.steps_until([&] { return cluster.core(0).count_matching("lesson.published.a") == 4; },
                      1000);
  std::vector<std::string> all;
  for (int i = 0; i < 300; ++i) {
    if (i == 100)
      cluster.partition({0, 1});
    if (i == 200)
      cluster.heal();
    all.push_back(cluster.publish(0, "a", "one key"));
    cluster.step();
  }
  cluster.be_kind();
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 20'000));
  for (std::size_t at = 0; at < 4; ++at)
    CHECK(cluster.handled(at, "reader") == all);
  CHECK(cluster.complaint == "");
}

TEST_CASE("G2, G3: under random cuts, partitions, kills and restarts what is published while its "
          "publisher lives is handled, in order, once by each start of a node") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(300); ++round) {
    INFO("round " << round);
    random_source chance(seed + round);
    sim_cluster cluster(sim_cluster::random_trouble(chance));
    const auto nodes = cluster.size();
    for (std::size_t at = 0; at < nodes; ++at)
      cluster.subscribe(at, "reader", "lesson.published.>", patient());
    const auto matching = [&] { return cluster.core(0).count_matching("lesson.published.a"); };
    REQUIRE(cluster.steps_until([&] { return matching() == nodes; }, 5000));
    by_key published; // node 0 publishes, and stays up
    for (int turn = 0; turn < 60; ++turn) {
      const auto dice = chance.unit();
      const auto victim = 1 + chance.next() % (nodes - 1);
      if (dice < 0.05 && cluster.is_up(victim))
        cluster.kill(victim);
      else if (dice < 0.15 && !cluster.is_up(victim))
        cluster.restart(victim);
      else if (dice < 0.2)
        cluster.partition({chance.next() % nodes});
      else if (dice < 0.3)
        cluster.heal();
      for (auto n = chance.next() % 8; n > 0; --n) {
        const auto key = "k" + std::to_string(chance.next() % 5);
        published[{0, key}].push_back(cluster.publish(0, "a", key));
      }
      for (auto n = chance.next() % 12; n > 0; --n)
        cluster.step();
    }
    cluster.mend();
    REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 60'000));
    REQUIRE(cluster.complaint == "");
    for (std::size_t at = 0; at < nodes; ++at) {
      const auto& seen = cluster.handled(at, "reader");
      REQUIRE_FALSE(has_repeats(cluster.handled_now(at, "reader")));
      const std::set<std::string> once(seen.begin(), seen.end());
      for (const auto& [from, ids] : published) {
        for (const auto& id : ids)
          REQUIRE(once.contains(id));
        REQUIRE(is_subsequence_in_order(ids, seen));
      }
    }
    REQUIRE(cluster.core(0).ledger_snapshot().balances());
    const auto all = cluster.ledgers(0).sum; // only node 0 has published
    REQUIRE(all.balances());
    REQUIRE(all.total().pending == 0);
    REQUIRE(all.total().published == cluster.core(0).ledger_snapshot().total().published);
  }
}

// -- groups -------------------------------------------------------------------------------------

namespace {

/// A cluster whose nodes share the events of one group, and what goes wrong in it.
class group_game {
public:
  group_game(std::uint64_t seed, bool nobody_dies)
      : chance_(seed), nobody_dies_(nobody_dies), cluster_(sim_cluster::random_trouble(chance_)),
        nodes_(cluster_.size()) {
    for (std::size_t at = chance_.next() % 2; at < nodes_; ++at) // the publisher, or not
      join(at, "worker");
    REQUIRE(cluster_.steps_until([&] { return somebody(); }, 5000));
  }

  void play() {
    for (int turn = 0; turn < 60; ++turn) {
      fault();
      for (auto n = chance_.next() % 8; n > 0; --n)
        publish();
      for (auto n = chance_.next() % 12; n > 0; --n)
        cluster_.step();
    }
    cluster_.mend();
    if (!cluster_.has(1, "worker"))
      join(1, "worker"); // for what is kept when nobody is left
    REQUIRE(cluster_.steps_until([&] { return cluster_.owed() == 0; }, 60'000));
  }

  void check() {
    REQUIRE(cluster_.complaint == "");
    const auto& seen = cluster_.handled_anywhere();
    const std::set<std::string> once(seen.begin(), seen.end());
    for (const auto& [key, ids] : published_)
      for (const auto& id : ids)
        REQUIRE(once.contains(id));
    for (const auto& [key, ids] : published_)
      if (!key.second.empty())
        REQUIRE(is_subsequence_in_order(ids, seen));
    if (nobody_dies_)
      REQUIRE(once.size() == seen.size());
    REQUIRE(cluster_.core(0).ledger_snapshot().balances());
    REQUIRE(cluster_.ledgers(0).sum.balances());
    const auto total = cluster_.core(0).ledger_snapshot().total();
    REQUIRE(total.dropped_in_all() == total.dropped_for(drop_reason::reassigned));
  }

private:
  void join(std::size_t at, const std::string& name) {
    auto options = patient();
    options.group = "workers";
    cluster_.subscribe(at, name, "lesson.published.>", options);
  }
  bool somebody() { return cluster_.core(0).count_matching("lesson.published.a") == 1; }
  void publish() {
    const auto key = chance_.unit() < 0.3 ? "" : "k" + std::to_string(chance_.next() % 5);
    const bool owed = somebody();
    const auto id = cluster_.publish(0, "a", key); // node 0 publishes, and stays up
    if (owed)
      published_[{0, key}].push_back(id);
  }
  void fault() {
    const auto dice = chance_.unit();
    const auto victim = 1 + chance_.next() % (nodes_ - 1);
    const auto name = chance_.unit() < 0.7 ? "worker" : "worker-2";
    if (dice < 0.06 && cluster_.is_up(victim) && !nobody_dies_)
      cluster_.kill(victim);
    else if (dice < 0.1 && !cluster_.is_up(victim))
      cluster_.give_up(victim);
    else if (dice < 0.2 && !cluster_.is_up(victim))
      cluster_.restart(victim);
    else if (dice < 0.27)
      cluster_.partition({chance_.next() % nodes_});
    else if (dice < 0.4)
      cluster_.heal();
    else if (dice < 0.5 && cluster_.is_up(victim))
      come_or_go(chance_.unit() < 0.2 ? 0 : victim, name);
  }
  void come_or_go(std::size_t at, const std::string& name) {
    if (cluster_.has(at, name))
      cluster_.unsubscribe(at, name);
    else if (!cluster_.core(at).find(name)) // its end may take a while
      join(at, name);
  }

  random_source chance_;
  bool nobody_dies_;
  sim_cluster cluster_;
  std::size_t nodes_;
  by_key published_;
};

} // namespace

TEST_CASE("G25, G26, G27: under random cuts, partitions, kills and members that come and go each "
          "event of a group is handled, keys in order") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(200); ++round) {
    INFO("round " << round);
    group_game game(seed + round, false);
    game.play();
    game.check();
  }
}

TEST_CASE("G25: while no node dies exactly one member of a group handles an event, through cuts, "
          "partitions and members that come and go") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(100); ++round) {
    INFO("round " << round);
    group_game game(seed + round, true);
    game.play();
    game.check();
  }
}

TEST_CASE("G26: all nodes of a cluster give a key of a group to the same member") {
  sim_cluster cluster({.nodes = 4, .retry_chance = 0, .break_chance = 0});
  auto options = patient();
  options.group = "workers";
  for (std::size_t at = 0; at < 4; ++at)
    cluster.subscribe(at, "worker", "lesson.published.>", options);
  for (int i = 0; i < 300; ++i)
    cluster.step(); // all have seen all
  for (std::size_t from = 0; from < 4; ++from)
    for (int i = 0; i < 40; ++i)
      cluster.publish(from, "a", "k" + std::to_string(i));
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  for (std::size_t at = 0; at < 4; ++at) {
    CHECK(cluster.handled(at, "worker").size() % 4 == 0);
    CHECK(cluster.handled(at, "worker").size() >= 4 * 2);
  }
  CHECK(cluster.handled_anywhere().size() == 160);
}

namespace {

/// Node 0 publishes to "reader" on node 1, which is slow, and is killed before it is through.
std::vector<std::string> publish_to_one_that_dies(sim_cluster& cluster) {
  cluster.subscribe(1, "reader", "lesson.published.>", patient());
  REQUIRE(cluster.steps_until(
      [&] { return cluster.core(0).count_matching("lesson.published.a") == 1; }, 1000));
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i)
    all.push_back(cluster.publish(0, "a", "k"));
  for (int i = 0; i < 4; ++i)
    cluster.step();
  cluster.kill(1);
  cluster.believe_dead(0, 1);
  return all;
}

sim_cluster::settings two_nodes() {
  return {.nodes = 2,
          .work_chance = 0.1,
          .retry_chance = 0,
          .break_chance = 0,
          .unreachable_after = 200ms};
}

std::set<std::string> ids_of(const std::vector<dead_letter>& letters) {
  std::set<std::string> ids;
  for (const auto& one : letters)
    ids.insert(to_string(one.event->id()));
  return ids;
}

} // namespace

TEST_CASE("G40: a node believed dead is owed nothing new, and what it was owed is handled when it "
          "comes back in time") {
  sim_cluster cluster(two_nodes());
  const auto all = publish_to_one_that_dies(cluster);
  CHECK(cluster.core(0).count_matching("lesson.published.a") == 0);
  const auto missed = cluster.publish(0, "a", "k");
  for (int i = 0; i < 100; ++i)
    cluster.step();
  cluster.restart(1);
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  CHECK(cluster.core(0).count_matching("lesson.published.a") == 1);
  CHECK(cluster.letters(0).empty());
  const auto& seen = cluster.handled(1, "reader");
  CHECK(std::set<std::string>(seen.begin(), seen.end()) ==
        std::set<std::string>(all.begin(), all.end()));
  CHECK(std::find(seen.begin(), seen.end(), missed) == seen.end());
  CHECK(cluster.core(0).ledger_snapshot().balances());
  CHECK(cluster.complaint == "");
}

TEST_CASE("G40: what a node was owed that stays dead is in the dead letters of the publisher, "
          "every event, with the reason") {
  sim_cluster cluster(two_nodes());
  const auto all = publish_to_one_that_dies(cluster);
  const auto pending = cluster.core(0).owed();
  REQUIRE(pending > 0);
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  const auto& letters = cluster.letters(0);
  REQUIRE(letters.size() == pending);
  auto ended = ids_of(letters);
  CHECK(ended.size() == pending);
  for (const auto& id : cluster.handled(1, "reader"))
    ended.insert(id);
  CHECK(ended == std::set<std::string>(all.begin(), all.end()));
  CHECK(letters[0].subscription == "reader@n1");
  CHECK(letters[0].node == "n0");
  CHECK(letters[0].reason.find("unreachable: node 'n1'") == 0);
  const auto book = cluster.core(0).ledger_snapshot();
  CHECK(book.balances());
  CHECK(book.of_subscription("reader@n1").dead == pending);
}

TEST_CASE("G40: a node that was given up, and had given up nobody, is met anew") {
  sim_cluster cluster(two_nodes());
  cluster.subscribe(1, "reader", "lesson.published.>", patient());
  const auto known = [&] { return cluster.core(0).count_matching("lesson.published.a") == 1; };
  REQUIRE(cluster.steps_until(known, 1000));
  for (int i = 0; i < 40; ++i)
    cluster.publish(0, "a", "k");
  cluster.partition({0});
  cluster.believe_dead(0, 1);
  REQUIRE(cluster.steps_until([&] { return cluster.core(0).owed() == 0; }, 5000));
  cluster.heal();
  REQUIRE(cluster.steps_until(known, 5000));
  const auto late = cluster.publish(0, "a", "k");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  const auto& seen = cluster.handled(1, "reader");
  CHECK(std::count(seen.begin(), seen.end(), late) == 1);
}

TEST_CASE("G41: a dead letter of an unreachable node is redriven when the node is back, and "
          "refused before") {
  sim_cluster cluster(two_nodes());
  publish_to_one_that_dies(cluster);
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  auto letters = cluster.letters(0);
  REQUIRE_FALSE(letters.empty());
  const auto refused = cluster.redrive(0, letters[0]);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::not_found);
  cluster.restart(1);
  REQUIRE(cluster.steps_until(
      [&] { return cluster.core(0).count_matching("lesson.published.a") == 1; }, 5000));
  std::uint64_t id = 0;
  for (auto& one : letters) {
    one.id = ++id;
    REQUIRE(cluster.redrive(0, one));
  }
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 5000));
  CHECK(cluster.redriven(0).size() == letters.size());
  const auto& seen = cluster.handled_now(1, "reader");
  CHECK(std::set<std::string>(seen.begin(), seen.end()) == ids_of(letters));
  const auto line = cluster.core(0).ledger_snapshot().of_subscription("reader@n1");
  CHECK(line.dead == 0);
  CHECK(line.balances());
  CHECK(cluster.complaint == "");
}

TEST_CASE("G42: what a node concludes of events of an earlier start of their publisher is told to "
          "nobody") {
  sim_cluster cluster(two_nodes());
  cluster.subscribe(1, "reader", "lesson.published.>", patient());
  const auto matching = [&] { return cluster.core(0).count_matching("lesson.published.a"); };
  REQUIRE(cluster.steps_until([&] { return matching() == 1; }, 1000));
  for (int i = 0; i < 600; ++i)
    cluster.publish(0, "a", "k");
  for (int i = 0; i < 5; ++i)
    cluster.step();
  cluster.kill(0);
  cluster.restart(0);
  REQUIRE(cluster.steps_until([&] { return matching() == 1; }, 1000));
  const auto id = cluster.publish(0, "a", "k");
  REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 20'000));
  CHECK(cluster.handled(1, "reader").back() == id);
  CHECK(cluster.complaint == "");
}

TEST_CASE("G2, G40: what all nodes published balances when their ledgers are added up, also while "
          "nodes die, stay dead and come back") {
  const auto seed = random_numbers().seed();
  std::size_t buried = 0;
  for (std::uint64_t round = 0; round < rounds(30); ++round) {
    INFO("round " << round);
    random_source chance(seed + round);
    constexpr std::size_t nodes = 3;
    sim_cluster cluster({.seed = chance.next(), .nodes = nodes, .unreachable_after = 40ms});
    for (std::size_t at = 0; at < nodes; ++at)
      cluster.subscribe(at, "reader", "lesson.published.>", patient());
    std::set<std::string> published; // node 0 publishes, and stays up
    for (int turn = 0; turn < 200; ++turn) {
      const auto dice = chance.unit();
      const auto victim = 1 + chance.next() % (nodes - 1);
      if (dice < 0.05 && cluster.is_up(victim)) {
        cluster.kill(victim);
        for (std::size_t at = 0; at < nodes; ++at)
          cluster.believe_dead(at, victim);
      } else if (dice < 0.07 && cluster.is_up(victim)) {
        cluster.believe_dead(0, victim); // wrongly
      } else if (dice < 0.12 && !cluster.is_up(victim)) {
        cluster.restart(victim);
      }
      published.insert(cluster.publish(0, "a", "k" + std::to_string(turn % 3)));
      cluster.step();
      for (std::size_t at = 0; at < nodes; ++at)
        if (cluster.is_up(at))
          REQUIRE(cluster.core(at).ledger_snapshot().balances());
    }
    cluster.mend();
    REQUIRE(cluster.steps_until([&] { return cluster.owed() == 0; }, 20'000));
    REQUIRE(cluster.complaint == "");
    ledger_line sum; // what a node received is in its publisher's ledger
    for (std::size_t at = 0; at < nodes; ++at)
      for (const auto& line : cluster.core(at).ledger_snapshot().lines)
        if (!line.received) {
          sum += line;
          sum.pending += line.pending;
        }
    REQUIRE(sum.balances());
    REQUIRE(sum.dropped_in_all() == 0);
    REQUIRE(sum.dead == cluster.letters(0).size());
    REQUIRE(cluster.handled(0, "reader").size() == published.size());
    buried += cluster.letters(0).size();
  }
  CHECK(buried > 0); // or nothing of this was tried
}

TEST_CASE("G2: subscriptions with long names, groups and filters are announced in frames that the "
          "other node reads, however many there are") {
  sim_cluster cluster({.nodes = 2, .retry_chance = 0, .break_chance = 0});
  auto options = patient();
  const auto filter = std::string(max_topic_bytes - 2, 't') + ".a";
  for (int i = 0; i < 600; ++i) {
    options.group = std::string(254, 'g') + std::to_string(i / 100);
    cluster.subscribe(1, std::to_string(1000 + i) + std::string(230, 'n'), filter, options);
  }
  const auto groups = [&] { return cluster.core(0).count_matching(filter); };
  REQUIRE(cluster.steps_until([&] { return groups() == 6; }, 1000));
  CHECK(cluster.complaint == "");
}
