// Whole nodes in virtual time. First things go wrong for a while, as the seed says (safety:
// whatever happens must be allowed), then nothing does any more, and everything has to come to its
// end within a minute (liveness).

#include "tests/support/catch.hpp"
#include "tests/support/golden_file.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/sim_game.hpp"
#include <algorithm>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;
namespace sim = edupulse::simulation;

namespace {

/// In a soak more than ten thousand in all.
std::uint64_t rounds(std::uint64_t n) {
  return std::getenv("EDUPULSE_SOAK") != nullptr ? 30 * n : n;
}

std::string trace_of(std::uint64_t seed) {
  std::string all;
  sim_game game(seed, [&](std::string_view line) { (all += line) += '\n'; });
  for (std::size_t at = 0; at < game.nodes(); ++at)
    game.subscribe(at, "reader", game.patient());
  game.begin();
  game.play(20, 0.5);
  game.end();
  return all;
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): what is in the repository must not depend on a hash of ours.
std::string fnv_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

} // namespace

TEST_CASE("the same seed gives the same run of whole nodes, to the byte; another one another run") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(5); ++round) {
    INFO("round " << round);
    const auto first = trace_of(seed + round);
    const auto again = trace_of(seed + round);
    const auto differ = std::mismatch(first.begin(), first.end(), again.begin(), again.end()).first;
    const auto line = std::find(differ, first.end(), '\n');
    INFO("the first line that differs ends: "
         << std::string(differ - std::min<std::ptrdiff_t>(100, differ - first.begin()), line));
    REQUIRE(first == again);
    REQUIRE(first.size() > 10'000);
    REQUIRE(first != trace_of(seed + round + 1));
  }
}

TEST_CASE("golden: runs of whole nodes are the same with any compiler and optimization") {
  text_lines lines;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto trace = trace_of(seed);
    lines.push_back("seed " + std::to_string(seed) + ": " +
                    std::to_string(std::count(trace.begin(), trace.end(), '\n')) + " lines, " +
                    fnv_of(trace));
  }
  check_golden(std::filesystem::path(EDUPULSE_SOURCE_DIR) / "tests/golden/simulation/traces.hashes",
               lines, "test_simulation");
}

TEST_CASE(
    "G2, G3, G22, G40, G60: whole nodes under faults of all kinds lose nothing, repeat nothing, "
    "keep keys in order and balance their ledgers, and come to rest when the faults end") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(200); ++round) {
    INFO("round " << round);
    sim_game game(seed + round);
    for (std::size_t at = 0; at < game.nodes(); ++at)
      if (at == 0 || game.chance().unit() < 0.5)
        game.subscribe(at, "reader", game.patient());
    game.subscribe(1, "some", game.patient(), "event.s1");
    game.begin();
    game.play(40, 0.4);
    game.end();
  }
}

TEST_CASE("G25, G26, G27: under faults of all kinds each event of a group is handled by one of its "
          "members, keys in order, and what a member leaves behind is the others'") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(100); ++round) {
    INFO("round " << round);
    sim_game game(seed + round);
    auto options = game.patient();
    options.group = "workers";
    for (std::size_t at = 0; at < game.nodes(); ++at)
      if (at < 2 || game.chance().unit() < 0.5)
        game.subscribe(at, "worker", options);
    game.begin();
    game.play(40, 0.4);
    game.end();
  }
}

TEST_CASE(
    "G12, G13: subscriptions that cannot keep up, on faulty nodes, miss events by their policy "
    "and no others, each counted once; memory stays within the backlogs") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(100); ++round) {
    INFO("round " << round);
    sim_game game(seed + round);
    for (std::size_t at = 0; at < game.nodes(); ++at)
      game.subscribe(at, "slow", game.overloaded());
    game.begin();
    game.play(40, 0.3, 40);
    game.end();
  }
}

TEST_CASE(
    "G22, G25: while no node dies, and whatever the network does, every event is handled once "
    "by each subscription, and by one member of a group") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(50); ++round) {
    INFO("round " << round);
    sim_game game(seed + round, sim_game::nobody_dies());
    auto options = game.patient();
    for (std::size_t at = 0; at < game.nodes(); ++at)
      game.subscribe(at, "reader", options);
    options.group = "workers";
    for (std::size_t at = 0; at < game.nodes(); ++at)
      game.subscribe(at, "worker", options);
    game.begin();
    game.play(40, 0.4);
    game.end();
    REQUIRE(game.found().repeats == 0);
  }
}

TEST_CASE("G22, G40: every word of a fault alone, and what undoes it") {
  const auto seed = random_numbers().seed();
  for (std::size_t kind = 0; kind < sim::fault_kinds; ++kind)
    for (std::uint64_t round = 0; round < rounds(3); ++round) {
      const auto which = static_cast<sim::fault_kind>(kind);
      INFO("round " << round << " of " << to_string(sim::fault{.what = which}));
      sim_game game(seed + round, which);
      for (std::size_t at = 0; at < game.nodes(); ++at)
        game.subscribe(at, "reader", game.patient());
      game.begin();
      game.play(20, 0.5);
      game.end();
    }
}

TEST_CASE("G64, G82: a node that was started elsewhere while it was stopped is shut out as soon as "
          "it goes on, with what it publishes then") {
  sim::cluster all({.seed = 5, .nodes = 3});
  REQUIRE(all.subscribe(1, {"reader", "event.>"}));
  REQUIRE(all.run_until([&] { return all.is_whole() && all.is_informed(); }, 20s));
  all.pause(0);
  for (int i = 0; i < 10; ++i)
    REQUIRE(all.publish(0, {.subject = "s", .key = "old"})); // admitted, and then it was stopped
  const auto elsewhere = all.copy(0);
  all.run_for(20s);
  CHECK(all.at(1).board().members().find(all.at(elsewhere).about().self.node)->boot_epoch == 2);
  all.resume(0);
  all.run_for(5s);
  CHECK_FALSE(all.is_up(0)); // it was told, and its program has ended
  REQUIRE(all.publish(elsewhere, {.subject = "s", .key = "new"}));
  REQUIRE(all.run_until([&] { return all.is_at_rest(); }, 60s));
  const auto found = all.judge(true);
  CHECK(found.text() == "");
  CHECK(found.published == 11);
  CHECK(found.handled == 1);
}

TEST_CASE(
    "G12, G40: a process that stands still holds up nobody else, keeps memory bounded at those "
    "that publish, accuses nobody when it goes on, and then handles what it was owed") {
  sim::cluster all({.seed = 6, .nodes = 4, .mail = {64, 1u << 20}});
  subscription_options options;
  options.backlog_events = 100;
  for (const std::size_t at : {std::size_t(1), std::size_t(2)})
    REQUIRE(all.subscribe(at, {"reader", "event.>", options}));
  REQUIRE(all.run_until([&] { return all.is_whole() && all.is_informed(); }, 20s));
  all.pause(2);
  for (int turn = 0; turn < 500; ++turn) { // 50 s
    for (int i = 0; i < 5; ++i)
      static_cast<void>(all.publish(0, {.subject = "s", .bytes = 1000}));
    all.run_for(100ms);
    all.check();
    const auto owed = all.at(0).core().backlogs();
    for (const auto& one : owed)
      CHECK(one.name == "reader@n2");
  }
  all.resume(2);
  REQUIRE(all.run_until([&] { return all.is_at_rest(); }, 10s));
  const auto found = all.judge(true);
  CHECK(found.text() == "");
  CHECK(found.refused < 200); // for as long as it was believed to be slow
  CHECK(all.at(2).board().members().counts().refutations > 0);
  CHECK(found.handled > 2000);
  CHECK(found.repeats == 0);
}

TEST_CASE("a handler whose script says so throws at exactly its first calls of each start, and "
          "rejects exactly the events that are poison") {
  sim::cluster all({.seed = 8, .nodes = 2});
  sim::subscription_order order{"reader", "event.>"};
  order.how.crash_loop_for = 3;
  order.how.is_poison = [](const envelope& event) { return event.key() == "bad"; };
  REQUIRE(all.subscribe(1, order));
  const auto publish = [&](int count, const char* key) {
    REQUIRE(all.run_until([&] { return all.is_whole() && all.is_informed(); }, 20s));
    for (int i = 0; i < count; ++i)
      REQUIRE(all.publish(0, {.subject = "s", .key = key}));
    REQUIRE(all.run_until([&] { return all.is_at_rest(); }, 60s));
  };
  publish(10, "good");
  CHECK(all.judge(true).failures == 3);
  publish(5, "bad");
  CHECK(all.judge(true).failures == 8); // each is tried once
  CHECK(all.judge(true).dead == 5);
  all.restart(1, false);
  publish(10, "good");
  const auto found = all.judge(true);
  CHECK(found.text() == "");
  CHECK(found.failures == 11);
  CHECK(found.handled == 20);
}
