#pragma once
// A random run of the simulated cluster: its settings, its faults and its events follow from one
// seed. With EDUPULSE_TRACE set it prints every message and effect.

#include "runtime/simulation/cluster.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/soak_figures.hpp"
#include <iostream>
#include <string>

namespace edupulse::test {

class sim_game {
public:
  using trace = std::function<void(std::string_view line)>;

  explicit sim_game(std::uint64_t seed, trace lines = {})
      : sim_game(seed, std::move(lines), std::optional<duration>()) {}
  /// Only the network is at fault, or a process stands still; and nobody is given up.
  struct nobody_dies {};
  sim_game(std::uint64_t seed, nobody_dies) : sim_game(seed, trace(), std::chrono::hours(1)) {
    using enum simulation::fault_kind;
    for (const auto end : {kill, vanish, restart, restart_fresh, leave, copy})
      mix_.forbid(end);
  }
  /// One kind of fault, and what undoes it.
  sim_game(std::uint64_t seed, simulation::fault_kind one) : sim_game(seed) {
    mix_ = simulation::fault_mix(one);
  }

  // -- options ----------------------------------------------------------------------------
  /// Tries for as long as it takes, and is not shed: whatever is published must be handled.
  subscription_options patient() {
    using namespace std::chrono_literals;
    subscription_options options;
    options.retry.first = 2ms;
    options.retry.cap = 50ms;
    options.retry.give_up_after = 1h;
    options.retry.max_crashes = 1000;
    options.stall_after = 1h;
    options.time_limit = 1h;
    return options;
  }
  /// A small backlog, and any policy.
  subscription_options overloaded() {
    auto options = patient();
    options.backlog_events = 1 + chance_.next() % 40;
    options.backlog_bytes = 2000 + chance_.next() % 100'000;
    options.overload = static_cast<overload_policy>(chance_.next() % 5);
    options.stall_after = duration(1'000'000 + chance_.next() % 2'000'000'000);
    return options;
  }

  // -- the run ----------------------------------------------------------------------------
  void subscribe(std::size_t at, const std::string& name, subscription_options options,
                 const std::string& filter = "event.>") {
    options.window = static_cast<std::uint32_t>(1 + chance_.next() % 64);
    REQUIRE(all_.subscribe(at, {name, filter, options, random_temper()}));
  }
  /// Until all know of all.
  void begin() {
    using namespace std::chrono_literals;
    REQUIRE(all_.run_until([&] { return all_.is_whole() && all_.is_informed(); }, 20s));
  }
  /// Faults and events for some seconds.
  void play(int turns, double faults, std::uint64_t events = 8) {
    for (int turn = 0; turn < turns; ++turn) {
      if (chance_.unit() < faults)
        apply(mix_.draw(chance_, nodes_));
      for (auto n = chance_.next() % events; n > 0; --n)
        publish();
      all_.run_for(duration(static_cast<duration::rep>(chance_.unit() * 6e8)));
      all_.check();
    }
  }
  /// No more faults: everything comes to rest within a minute, and then nothing is missing.
  void end() {
    using namespace std::chrono_literals;
    all_.mend();
    const bool rests = all_.run_until([&] { return all_.is_at_rest(); }, 60s);
    CAPTURE(all_.unrest());
    CHECK(rests);
    all_.check();
    found_ = all_.judge(rests);
    CAPTURE(found_.text());
    covered().add_run(seed_, std::chrono::duration<double>(all_.now() - began_).count() *
                                 static_cast<double>(nodes_));
    REQUIRE(found_.is_good());
  }
  simulation::cluster& all() { return all_; }
  simulation::fault_mix& mix() { return mix_; }
  random_source& chance() { return chance_; }
  std::size_t nodes() const { return nodes_; }
  const simulation::verdict& found() const { return found_; }

private:
  sim_game(std::uint64_t seed, trace lines, std::optional<duration> unreachable_after)
      : seed_(seed), chance_(seed),
        all_(random_settings(chance_, std::move(lines), unreachable_after)), mix_(chance_),
        nodes_(all_.size()), began_(all_.now()) {}

  static soak_figures& covered() {
    static soak_figures all("simulation");
    return all;
  }
  void apply(const simulation::fault& what) {
    const auto words = to_string(what);
    covered().add_fault(words.substr(0, words.find(' ')));
    all_.apply(what);
  }

  static simulation::cluster::settings random_settings(random_source& chance, trace lines,
                                                       std::optional<duration> unreachable) {
    using namespace std::chrono_literals;
    simulation::cluster::settings how;
    how.seed = chance.next();
    how.nodes = 3 + chance.next() % 5;
    how.net.line.delay = duration(1 + chance.next() % 2'000'000);
    how.net.line.jitter = duration(1 + chance.next() % 5'000'000);
    how.net.kernel_bytes = std::size_t(1) << (12 + chance.next() % 8);
    how.net.cut_chance = chance.unit() < 0.5 ? 0.2 : 0;
    how.mail = {64 + chance.next() % 200, 1u << 20};
    how.unreachable_after = chance.unit() < 0.7 ? 60s : 3s;
    if (unreachable)
      how.unreachable_after = *unreachable;
    how.intake_max = chance.unit() < 0.5 ? 8u << 20 : 4u << 10;
    how.hop = duration(1 + chance.next() % 200'000);
    how.trace = std::move(lines);
    if (std::getenv("EDUPULSE_TRACE"))
      how.trace = [](std::string_view line) { std::cout << line << '\n'; };
    return how;
  }
  simulation::temper random_temper() {
    simulation::temper how;
    how.retry = 0.05 * chance_.unit();
    how.crash = 0.02 * chance_.unit();
    how.defer = chance_.unit() < 0.5 ? 0.1 : 0;
    how.unavailable = chance_.unit() < 0.3 ? 0.005 : 0;
    how.reject = chance_.unit() < 0.3 ? 0.02 : 0;
    how.pace = duration(1 + chance_.next() % 2'000'000);
    return how;
  }
  void publish() {
    const auto from = chance_.next() % nodes_;
    if (!all_.is_up(from) || all_.is_paused(from))
      return;
    simulation::event_order_form what;
    what.subject = "s" + std::to_string(chance_.next() % 3);
    what.key = chance_.unit() < 0.7 ? "k" + std::to_string(chance_.next() % 4) : "";
    what.level = chance_.unit() < 0.3 ? delivery_level::best_effort : delivery_level::acknowledged;
    what.bytes = chance_.unit() < 0.02 ? 300'000 : chance_.next() % 500;
    if (chance_.unit() < 0.05)
      what.expires_in = duration(static_cast<duration::rep>(chance_.unit() * 1e9));
    static_cast<void>(all_.publish(from, what));
  }

  std::uint64_t seed_;
  random_source chance_;
  simulation::cluster all_;
  simulation::fault_mix mix_;
  std::size_t nodes_;
  time_point began_;
  simulation::verdict found_;
};

} // namespace edupulse::test
