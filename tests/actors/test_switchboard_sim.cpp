// Several switchboards in virtual time, with everything that connections can do to them.

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/sim_switchboard.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

TEST_CASE("G60: when both sides dial at once one session is left, with one number at both ends") {
  std::uint64_t crossed = 0;
  for (std::uint64_t i = 0; i < runs(300); ++i) {
    INFO("seed " << first_seed() + i);
    sim_switchboard sim({.nodes = 2 + i % 3, .seed = first_seed() + i, .mesh = true});
    REQUIRE(sim.run_until([&] { return sim.all_connected(); }, 10s));
    sim.run_for(12s); // longer than any time limit of a greeting: nothing comes behind
    CHECK(sim.broken() == "");
    REQUIRE(sim.all_connected());
    const auto made = sim.sessions_made();
    sim.run_for(10s);
    CHECK(sim.sessions_made() == made);
    crossed += sim.duplicates();
  }
  CHECK(crossed > 0); // or nothing was tested
}

TEST_CASE("G60: after connections that broke, and members that came anew, all have one session "
          "with each, and nothing reached a router outside one") {
  std::uint64_t routed = 0;
  for (std::uint64_t i = 0; i < runs(300); ++i) {
    INFO("seed " << first_seed() + i);
    sim_switchboard sim({.nodes = 2 + i % 4,
                         .seed = first_seed() + i,
                         .delay_max = 1ms + 20ms * (i % 7),
                         .cut_chance = 0.05,
                         .no_answer = 0.1,
                         .no_connection = 0.1,
                         .restart_chance = i % 2 == 0 ? 0.1 : 0.0});
    sim.run_for(10s);
    if (i % 3 == 0) {
      sim.part(0, 1);
      sim.run_for(1s * (i % 20));
    }
    sim.run_for(10s);
    sim.no_more_faults();
    const bool connected = sim.run_until([&] { return sim.all_connected(); }, 90s);
    CHECK(sim.broken() == "");
    REQUIRE(connected);
    sim.run_for(12s);
    CHECK(sim.broken() == "");
    CHECK(sim.all_connected());
    const auto made = sim.sessions_made();
    sim.run_for(30s); // long enough for those that are believed dead to be tried again
    CHECK(sim.sessions_made() == made);
    routed += sim.frames_routed();
  }
  CHECK(routed > 0);
}

TEST_CASE(
    "G64: a node that died and is back under a fresh id keeps its sessions, though its old id "
    "is believed dead and tried again") {
  sim_switchboard sim({.nodes = 3, .seed = first_seed()});
  REQUIRE(sim.run_until([&] { return sim.all_connected(); }, 30s));
  sim.kill(1);
  sim.run_for(30s);
  sim.restart(1, true);
  REQUIRE(sim.run_until([&] { return sim.all_connected(); }, 60s));
  const auto made = sim.sessions_made();
  sim.run_for(2min);
  CHECK(sim.sessions_made() == made);
  CHECK(sim.all_connected());
  CHECK(sim.broken() == "");
}
