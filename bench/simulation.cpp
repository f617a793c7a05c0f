// Whole nodes in virtual time: how many simulated seconds pass in a real one, and what a thousand
// nodes hold. One thread; the figures are of the cores and of the simulation around them together.

#include "bench.hpp"
#include "runtime/simulation/cluster.hpp"
#include <cstdio>
#include <cstdlib>

namespace bench {

namespace {

using namespace std::chrono_literals;
using edupulse::duration;
namespace sim = edupulse::simulation;

constexpr std::size_t publishers = 10;
constexpr std::size_t interested = 3;
constexpr auto between_events = 1ms; ///< in all

sim::cluster::settings settings_of(std::size_t nodes) {
  sim::cluster::settings how;
  how.nodes = nodes;
  how.members = edupulse::lan_profile();
  how.tracked = false;
  return how;
}

/// False: they have not met.
bool form(sim::cluster& all) {
  for (std::size_t i = 0; i < interested; ++i)
    static_cast<void>(all.subscribe(all.size() - 1 - i, {"reader", ">"}));
  for (int seconds = 0; seconds < 120 && !(all.is_whole() && all.is_informed()); ++seconds)
    all.run_for(1s);
  all.run_for(3s); // what they tell each other after that
  return all.is_whole();
}

void play(sim::cluster& all, duration how_long) {
  const auto until = all.now() + how_long;
  for (std::uint64_t number = 0; all.now() < until; ++number) {
    sim::event_order_form form;
    form.key = "k" + std::to_string(number % 1000);
    form.bytes = payload_bytes;
    static_cast<void>(all.publish(number % publishers, form));
    all.run_for(between_events);
  }
}

void speed(report& to, bool quick) {
  const duration simulated = quick ? 3s : 30s;
  sim::cluster all(settings_of(100));
  auto start = std::chrono::steady_clock::now();
  if (!form(all))
    return std::puts("virtual.speed_100: the nodes have not met"), void();
  const double formed = seconds_since(start);
  std::vector<double> rates;
  const auto steps = all.steps();
  for (int round = 0; round < (quick ? 1 : 5); ++round) {
    start = std::chrono::steady_clock::now();
    play(all, simulated);
    rates.push_back(std::chrono::duration<double>(simulated).count() / seconds_since(start));
  }
  char note[160];
  std::snprintf(
      note, sizeof note,
      "simulated seconds in a real one; 1,000 events/s, each to 3 nodes; %.0f steps a "
      "second; met in %.2f s",
      static_cast<double>(all.steps() - steps) /
          (std::chrono::duration<double>(simulated).count() * static_cast<double>(rates.size())),
      formed);
  to.value("virtual.speed_100", "x", spread_of(rates), 100, note);
}

void memory_of_many(report& to, bool quick) {
  const std::string nodes = quick ? "100" : "1000";
  std::FILE* child = read_from_self(" --run virtual_memory --events " + nodes);
  double mib = 0;
  double seconds = 0;
  const bool done = child != nullptr && std::fscanf(child, "%lf %lf", &mib, &seconds) == 2;
  if (child == nullptr || ::pclose(child) != 0 || !done)
    return std::puts("virtual.memory: the nodes have not met"), void();
  char note[80];
  std::snprintf(note, sizeof note, "all have met; %.1f s", seconds);
  to.value("virtual.memory_" + nodes, "MiB", {mib, mib, mib}, 1024, note);
}

} // namespace

int virtual_memory_child(std::size_t nodes) {
  const double before = status_mib("VmRSS:");
  sim::cluster all(settings_of(nodes));
  const auto start = std::chrono::steady_clock::now();
  if (!form(all))
    return 1;
  play(all, 2s);
  std::printf("%.3f %.1f\n", status_mib("VmHWM:") - before, seconds_since(start));
  return 0;
}

void simulation(report& to, const std::function<bool(const char*)>& wanted, bool quick) {
  if (wanted("virtual.speed_100"))
    speed(to, quick);
  if (wanted("virtual.memory_1000"))
    memory_of_many(to, quick);
}

} // namespace bench
