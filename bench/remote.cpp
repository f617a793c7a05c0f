// From node to node over loopback, beside the peers, in turns.

#include "remote.hpp"
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>

namespace bench {

namespace {

using namespace std::chrono_literals;

constexpr double mib = 1 << 20;

int rounds_of(bool quick) { return quick ? 2 : 5; }

/// Of those that run here; the others are named in `note`.
std::vector<contender> present(std::vector<contender> all, std::string& note) {
  std::vector<contender> here;
  for (auto& each : all)
    if (each.missing.empty())
      here.push_back(std::move(each));
    else
      note += (note.empty() ? "" : "; ") + each.name + " skipped: " + each.missing;
  return here;
}

/// `asked`: of the ratio to the first peer.
void row(report& to, const std::string& name, const std::string& unit, double asked,
         std::vector<contender> all, const load& what, int rounds, double scale = 1) {
  std::string note;
  const auto who = present(std::move(all), note);
  auto seen = take_turns(who, what, rounds);
  std::vector<peer_figures> peers;
  for (std::size_t i = 0; i < who.size(); ++i) {
    auto& figures = seen.figures[i];
    figures = {figures.min * scale, figures.median * scale, figures.max * scale};
    if (seen.missing[i] > 0)
      note += (note.empty() ? "" : "; ") + who[i].name + " lost " +
              std::to_string(seen.missing[i] / static_cast<std::uint64_t>(rounds)) + " a run";
    if (i > 0)
      peers.push_back({who[i].name, figures, seen.ratios[i]});
  }
  to.compared(name, unit, seen.figures[0], peers, asked, note);
}

void latency_row(report& to, bool quick) {
  std::string note;
  const auto who = present({nodes_paced(), zeromq_paced()}, note);
  const load what{quick ? 2'000u : 15'000u};
  std::vector<std::vector<double>> p50(who.size()), p99(who.size()), p999(who.size());
  for (int round = 0; round < rounds_of(quick); ++round)
    for (std::size_t i = 0; i < who.size(); ++i) {
      const auto seen = drive_paced(who[i], what);
      p50[i].push_back(seen.p50);
      p99[i].push_back(seen.p99);
      p999[i].push_back(seen.p999);
    }
  const auto say_one = [&](const std::string& name, std::vector<std::vector<double>>& of,
                           double most) {
    std::vector<peer_figures> peers;
    std::vector<double> ratio;
    for (std::size_t k = 0; who.size() > 1 && k < of[0].size(); ++k)
      ratio.push_back(of[0][k] / of[1][k]);
    if (who.size() > 1)
      peers.push_back({who[1].name, spread_of(of[1]), spread_of(ratio)});
    const auto limit = most > 0 ? "at most " + std::to_string(static_cast<int>(most)) + " us" : "";
    to.compared(name, "us", spread_of(of[0]), peers, 0, note.empty() ? limit : limit + "; " + note);
  };
  say_one("remote.latency_5k.p50", p50, 50);
  say_one("remote.latency_5k.p99", p99, 1000);
  say_one("remote.latency_5k.p99.9", p999, 0);
}

// -- one of two peers stopped -----------------------------------------------------------

struct stopped_seen {
  double per_second = 0; ///< of the other peer, after the stall was declared
  double grown_mib = 0;
  std::uint64_t missing = 0; ///< at the other peer: it was declared stalled as well
};

/// Events a second that were counted after the `already` first ones, from `since` on.
double rate_of(const counted& end, std::uint64_t already, std::int64_t since) {
  if (end.count <= already || end.last <= since)
    return 0;
  return static_cast<double>(end.count - already) / static_cast<double>(end.last - since) * 1e9;
}

stopped_seen run_stopped(const load& what, bool stop) {
  auto all = start(nodes_watched(), what);
  auto& other = all.subscribers.front();
  all.publisher.expect("set");
  if (stop)
    ::kill(all.subscribers.back().pid(), SIGSTOP);
  all.publisher.tell("publish");
  std::uint64_t already = 0;
  std::int64_t since = 0;
  if (stop) {
    all.publisher.expect("stalled", 120s);
    other.tell("seen");
    already = std::stoull(other.expect("seen"));
    since = now_ns();
  }
  all.publisher.expect("published", 300s);
  const auto end = figures_of(other);
  stopped_seen seen;
  seen.per_second = rate_of(end, already, stop ? since : end.first);
  seen.missing = what.events - end.count;
  all.publisher.tell("memory");
  double idle = 0;
  double peak = 0;
  std::sscanf(all.publisher.expect("memory").c_str(), "%lf %lf", &idle, &peak);
  seen.grown_mib = peak - idle;
  return seen;
}

void stopped_row(report& to, bool quick) {
  const std::uint64_t events = quick ? 300'000 : 1'200'000;
  std::vector<double> memory, ratio, ratio_alone;
  std::uint64_t missing = 0;
  for (int round = 0; round < rounds_of(quick); ++round) {
    const auto both = run_stopped({events, 2, 1024}, false);
    const auto alone = run_stopped({events, 1, 1024}, false);
    const auto seen = run_stopped({events, 2, 1024}, true);
    missing += both.missing + alone.missing + seen.missing;
    memory.push_back(seen.grown_mib);
    ratio.push_back(both.per_second > 0 ? seen.per_second / both.per_second : 0);
    ratio_alone.push_back(alone.per_second > 0 ? seen.per_second / alone.per_second : 0);
  }
  const std::string note =
      missing == 0 ? "" : "; NOT VALID: peers that ran missed " + std::to_string(missing);
  to.value("remote.stopped_peer.memory", "MiB above idle", spread_of(memory), 64,
           note.empty() ? note : note.substr(2));
  to.value("remote.stopped_peer.other", "ratio", spread_of(ratio), 0.9,
           "to two that both run" + note);
  to.value("remote.stopped_peer.alone", "ratio", spread_of(ratio_alone), 0,
           "to a cluster without the stopped one" + note);
}

} // namespace

void remote(report& to, const std::function<bool(const char*)>& wanted, bool quick) {
  const std::uint64_t events = quick ? 100'000 : 1'000'000;
  const int rounds = rounds_of(quick);
  const auto acknowledged = nodes(promise::acknowledged);
  if (wanted("remote.acknowledged_1"))
    row(to, "remote.acknowledged_1", "events/s", 1.25,
        {acknowledged, zeromq(), nats(), redis(), erlang()}, {events}, rounds);
  if (wanted("remote.best_effort_1"))
    row(to, "remote.best_effort_1", "events/s", 1.5, {nodes(promise::best_effort), zeromq()},
        {events}, rounds);
  if (wanted("remote.fanout_4"))
    row(to, "remote.fanout_4", "deliveries/s", 2, {acknowledged, nats(), zeromq()}, {events / 2, 4},
        rounds);
  if (wanted("remote.latency_5k"))
    latency_row(to, quick);
  if (wanted("remote.tls_1"))
    row(to, "remote.tls_1", "events/s", 0.5,
        {nodes(promise::acknowledged, std::make_shared<const certificates>()), acknowledged},
        {events}, rounds);
  if (wanted("remote.stopped_peer"))
    stopped_row(to, quick);
  if (wanted("remote.large"))
    row(to, "remote.large", "MB/s", 0.25, {acknowledged, raw_tcp()},
        {quick ? 500u : 4000u, 1, static_cast<std::size_t>(mib)}, rounds, mib / 1e6);
}

} // namespace bench
