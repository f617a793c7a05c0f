#include "contender.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

namespace bench {

using namespace std::chrono_literals;

counted counted::parse(const std::string& line) {
  std::istringstream words(line);
  counted seen;
  words >> seen.first >> seen.last >> seen.count;
  return seen;
}

counted figures_of(child& subscriber) {
  std::string before;
  for (int seconds = 0; seconds < 120; ++seconds) {
    const auto line = subscriber.hear(1s);
    if (line && line->starts_with("done "))
      return counted::parse(line->substr(5));
    if (line && *line == before)
      break;
    if (line)
      before = *line;
    else
      subscriber.tell("seen");
  }
  subscriber.tell("stop");
  return counted::parse(subscriber.expect("done"));
}

running start(const contender& who, const load& what) {
  running all{who.publisher(what), {}};
  const auto address = all.publisher.expect("address");
  for (int i = 0; i < what.subscribers; ++i)
    all.subscribers.push_back(who.subscriber(what, address));
  for (auto& each : all.subscribers)
    each.expect("ready");
  all.publisher.tell("go");
  return all;
}

throughput_seen drive(const contender& who, const load& what) {
  auto all = start(who, what);
  all.publisher.expect("published", 300s);
  std::int64_t first = INT64_MAX;
  std::int64_t last = 0;
  std::uint64_t count = 0;
  for (auto& each : all.subscribers) {
    const auto seen = figures_of(each);
    first = std::min(first, seen.first);
    last = std::max(last, seen.last);
    count += seen.count;
  }
  all.publisher.end(); // a server of its own goes with it, and the server's files
  const auto owed = what.events * static_cast<std::uint64_t>(what.subscribers);
  const auto seconds = static_cast<double>(std::max<std::int64_t>(1, last - first)) / 1e9;
  return {static_cast<double>(count) / seconds, owed - std::min(owed, count)};
}

percentiles drive_paced(const contender& who, const load& what) {
  auto all = start(who, what);
  percentiles seen;
  std::istringstream words(all.subscribers.front().expect("percentiles"));
  words >> seen.p50 >> seen.p99 >> seen.p999;
  return seen;
}

duel take_turns(const std::vector<contender>& who, const load& what, int rounds) {
  std::vector<std::vector<double>> figures(who.size());
  std::vector<std::vector<double>> ratios(who.size());
  duel result;
  result.missing.resize(who.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < who.size(); ++i) {
      const auto seen = drive(who[i], what);
      figures[i].push_back(seen.per_second);
      ratios[i].push_back(figures[0].back() / seen.per_second);
      result.missing[i] += seen.missing;
    }
  for (std::size_t i = 0; i < who.size(); ++i) {
    result.figures.push_back(spread_of(figures[i]));
    result.ratios.push_back(spread_of(ratios[i]));
  }
  return result;
}

// -- in the children ----------------------------------------------------------------

void tally::finish() {
  if (!said_.exchange(true))
    say("done " + std::to_string(first_.load()) + " " + std::to_string(last_.load()) + " " +
        std::to_string(seen()));
}

void serve_until_the_end(tally& what) {
  for (;;) {
    const auto line = await_line();
    if (line == "seen")
      say("seen " + std::to_string(what.seen()));
    if (line == "stop")
      what.finish();
  }
}

void ages::one(std::int64_t sent_ns) {
  micros_.push_back(static_cast<double>(now_ns() - sent_ns) / 1000);
  if (micros_.size() != expected_)
    return;
  // The first tenth warms caches and the clock of the processor.
  micros_.erase(micros_.begin(), micros_.begin() + static_cast<std::ptrdiff_t>(expected_ / 10));
  std::sort(micros_.begin(), micros_.end());
  std::string line = "percentiles";
  for (const double share : {0.5, 0.99, 0.999})
    line += " " +
            std::to_string(
                micros_[static_cast<std::size_t>(share * static_cast<double>(micros_.size() - 1))]);
  say(line);
}

void paced(std::uint64_t events, const std::function<void(std::uint64_t)>& send) {
  auto due = std::chrono::steady_clock::now() + 20ms;
  for (std::uint64_t i = 0; i < events; ++i, due += 200us) {
    std::this_thread::sleep_until(due);
    send(i);
  }
}

} // namespace bench
