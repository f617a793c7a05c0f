// The real membership core, a thousand times, in virtual time: what the protocol costs the CPU,
// without a network. Joins, a minute and a half of quiet, one death; all of it simulated.

#include "bench.hpp"
#include "tests/support/sim_membership.hpp"
#include <cstdio>
#include <ctime>

namespace bench {

namespace {

using namespace std::chrono_literals;
using edupulse::member_event;
using edupulse::test::sim_membership;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
double seconds(edupulse::duration what) { return std::chrono::duration<double>(what).count(); }

} // namespace

void membership(report& to, bool quick) {
  const std::size_t nodes = quick ? 100 : 1000;
  std::vector<double> cpu;
  std::string note;
  for (std::uint64_t round = 0; round < (quick ? 1u : 3u); ++round) {
    const double start = cpu_seconds();
    sim_membership sim({.nodes = nodes, .seed = 1 + round, .trace = false});
    const auto begin = sim.now();
    sim.form();
    const double formed = seconds(sim.now() - begin);
    const std::uint64_t frames = sim.frames();
    sim.reset_traffic();
    sim.run_until(begin + 90s);
    const double quiet = 90 - formed;
    const double bytes =
        static_cast<double>(sim.total_bytes()) / static_cast<double>(nodes) / quiet;
    const std::size_t victim = nodes - 1;
    const std::size_t enough = (nodes - 1) * 99 / 100;
    sim.kill(victim);
    const double dead = seconds(
        sim.run_until([&] { return sim.count(member_event::dead, victim) >= enough; }, 30s, 100ms));
    sim.run_until(begin + 120s);
    cpu.push_back(cpu_seconds() - start);
    char text[160];
    std::snprintf(
        text, sizeof text,
        "%zu nodes, 120 s: formed in %.1f s (%llu frames), then %.0f bytes/node/s; a death "
        "at 99 %% after %.1f s, %zu false",
        nodes, formed, static_cast<unsigned long long>(frames), bytes, dead, sim.false_deaths());
    note = text;
  }
  to.value(quick ? "membership.sim_100" : "membership.sim_1000", "CPU s", spread_of(cpu), 5, note);
}

} // namespace bench
