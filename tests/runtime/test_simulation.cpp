// Whole nodes in virtual time. First things go wrong for a while, as the seed says (safety:
// whatever happens must be allowed), then nothing does any more, and everything has to come to its
// end within a minute (liveness).

#include "runtime/simulation/cluster.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;
namespace sim = edupulse::simulation;

namespace {

/// In all, in a soak: more than ten thousand.
std::uint64_t rounds(std::uint64_t n) {
  return std::getenv("EDUPULSE_SOAK") != nullptr ? 34 * n : n;
}

subscription_options patient() {
  subscription_options options;
  options.retry.first = 2ms;
  options.retry.cap = 50ms;
  options.retry.give_up_after = 1h;
  options.retry.max_crashes = 1000;
  options.stall_after = 1h; // nothing is shed: whatever is published must be handled
  options.time_limit = 1h;
  return options;
}

sim::cluster::settings random_settings(random_source& chance) {
  sim::cluster::settings how;
  how.seed = chance.next();
  how.nodes = 3 + chance.next() % 5;
  how.net.line.delay = duration(1 + chance.next() % 2'000'000);
  how.net.line.jitter = duration(1 + chance.next() % 5'000'000);
  how.net.kernel_bytes = std::size_t(1) << (12 + chance.next() % 8);
  how.net.cut_chance = chance.unit() < 0.5 ? 0.2 : 0;
  how.mail = {64 + chance.next() % 200, 1u << 20};
  how.unreachable_after = chance.unit() < 0.7 ? 60s : 3s;
  how.intake_max = chance.unit() < 0.5 ? 8u << 20 : 4u << 10;
  how.hop = duration(1 + chance.next() % 200'000);
  return how;
}

sim::temper random_temper(random_source& chance) {
  sim::temper how;
  how.retry = 0.05 * chance.unit();
  how.crash = 0.02 * chance.unit();
  how.defer = chance.unit() < 0.5 ? 0.1 : 0;
  how.unavailable = chance.unit() < 0.3 ? 0.005 : 0;
  how.pace = duration(1 + chance.next() % 2'000'000);
  return how;
}

/// One run of the simulation.
class game {
public:
  explicit game(std::uint64_t seed)
      : chance_(seed), all_(random_settings(chance_)), mix_(chance_), nodes_(all_.size()) {}

  void subscribe(std::size_t at, const std::string& name, subscription_options options,
                 const std::string& filter = "event.>") {
    options.window = static_cast<std::uint32_t>(1 + chance_.next() % 64);
    REQUIRE(all_.subscribe(at, {name, filter, options, random_temper(chance_)}));
  }
  void begin() {
    REQUIRE(all_.run_until([&] { return all_.is_whole() && all_.is_informed(); }, 20s));
  }
  /// Faults and events for some seconds.
  void play(int turns, double faults) {
    for (int turn = 0; turn < turns; ++turn) {
      if (chance_.unit() < faults)
        all_.apply(mix_.draw(chance_, nodes_));
      for (auto n = chance_.next() % 8; n > 0; --n)
        publish();
      all_.run_for(duration(static_cast<duration::rep>(chance_.unit() * 4e8)));
      all_.check();
    }
  }
  sim::verdict end() {
    all_.mend();
    const bool rests = all_.run_until([&] { return all_.is_at_rest(); }, 60s);
    CAPTURE(all_.unrest());
    CHECK(rests);
    all_.check();
    auto found = all_.judge(rests);
    CAPTURE(found.text());
    REQUIRE(found.is_good());
    return found;
  }

  sim::cluster& all() { return all_; }
  sim::fault_mix& mix() { return mix_; }
  random_source& chance() { return chance_; }
  std::size_t nodes() const { return nodes_; }

private:
  void publish() {
    const auto from = chance_.next() % nodes_;
    if (!all_.is_up(from) || all_.is_paused(from))
      return;
    sim::event_order_form what;
    what.subject = "s" + std::to_string(chance_.next() % 3);
    what.key = chance_.unit() < 0.7 ? "k" + std::to_string(chance_.next() % 4) : "";
    what.level = chance_.unit() < 0.3 ? delivery_level::best_effort : delivery_level::acknowledged;
    what.bytes = chance_.unit() < 0.02 ? 300'000 : chance_.next() % 500;
    if (chance_.unit() < 0.05)
      what.expires_in = duration(static_cast<duration::rep>(chance_.unit() * 1e9));
    static_cast<void>(all_.publish(from, what));
  }

  random_source chance_;
  sim::cluster all_;
  sim::fault_mix mix_;
  std::size_t nodes_;
};

} // namespace

TEST_CASE("G2, G3, G22, G60: whole nodes under faults of all kinds lose nothing, repeat nothing, "
          "keep keys in order and balance their ledgers, and come to rest when the faults end") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < rounds(300); ++round) {
    INFO("round " << round);
    game one(seed + round);
    for (std::size_t at = 0; at < one.nodes(); ++at)
      if (one.chance().unit() < 0.5)
        one.subscribe(at, "reader", patient());
    one.begin();
    one.play(20, 0.4);
    one.end();
  }
}
