// What a plugin costs: per event against the same handler linked in, to load, and to swap.

#include "bench.hpp"
#include "plugin_reader.hpp"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <edupulse/plugin_host.hpp>
#include <filesystem>
#include <map>
#include <thread>
#include <tuple>
#include <unistd.h>

namespace bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

std::filesystem::path plugin_file(int version) {
  return std::filesystem::path(BENCH_PLUGINS) /
         ("libbench_plugin_" + std::to_string(version) + ".so");
}

edupulse::node start() {
  return edupulse::node::start({.name = "bench", .log = edupulse::log_level::off}).value();
}

edupulse::plugin_host open(edupulse::node& at) {
  auto host = edupulse::plugin_host::open(at, {.probe = BENCH_PROBE});
  if (!host)
    std::fprintf(stderr, "%s\n", host.error().text.c_str()), std::exit(1);
  return std::move(*host);
}

void load(edupulse::plugin_host& into, bool tells) {
  const auto done = into.load(plugin_file(1), {{"tells", tells ? "true" : "false"}});
  if (!done)
    std::fprintf(stderr, "%s\n", done.error().text.c_str()), std::exit(1);
}

void drain(edupulse::node& at) {
  if (const auto done = at.drain(60s); !done)
    std::fprintf(stderr, "%s\n", done.error().text.c_str()), std::exit(1);
}

void publish(edupulse::node& at, std::uint64_t number) {
  at.publish<LessonPublished>([&](auto lesson) { fill_lesson(lesson, number); }).value();
}

/// Events per second, with the handler in this program or in a plugin.
double run(bool loaded, std::uint64_t events) {
  auto at = start();
  auto host = open(at);
  if (loaded)
    load(host, false);
  else
    at.subscribe<LessonPublished>("reader", [] {
        return std::make_unique<plugin_reader>(false);
      }).value();
  const auto begun = clock::now();
  for (std::uint64_t i = 0; i < events; ++i)
    publish(at, i);
  drain(at);
  return static_cast<double>(events) / seconds_since(begun);
}

void time_per_event(report& to, bool quick) {
  const std::uint64_t events = quick ? 200'000 : 2'000'000;
  std::vector<double> ratio;
  for (int round = 0; round < 5; ++round) {
    const double linked = run(false, events);
    ratio.push_back(run(true, events) / linked);
  }
  to.value("plugin.throughput", "ratio", spread_of(ratio), 0,
           "events/s with the handler in a plugin over the same linked in");
}

/// Under callgrind, which runs one thread at a time; 0: there is no valgrind.
double instructions(const char* which, std::uint64_t events) {
  char self[4096] = {};
  if (::readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
    return 0;
  const std::string command = "valgrind --tool=callgrind --callgrind-out-file=/dev/null '" +
                              std::string(self) + "' --run " + which + " --events " +
                              std::to_string(events) + " 2>&1 >/dev/null";
  std::FILE* child = ::popen(command.c_str(), "r"); // NOLINT(cert-env33-c)
  char line[512];
  double total = 0;
  while (child != nullptr && std::fgets(line, sizeof line, child) != nullptr)
    if (const char* const at = std::strstr(line, "Collected : "))
      total = std::strtod(at + std::strlen("Collected : "), nullptr);
  if (child != nullptr)
    ::pclose(child);
  return total;
}

void instructions_per_event(report& to, bool quick) {
  const std::uint64_t few = 10'000;
  const std::uint64_t many = quick ? 30'000 : 110'000;
  const auto per_event = [&](const char* which) {
    return (instructions(which, many) - instructions(which, few)) / static_cast<double>(many - few);
  };
  std::vector<double> linked, ratio;
  for (int round = 0; round < (quick ? 1 : 3); ++round) {
    linked.push_back(per_event("plugin_linked"));
    if (linked.back() <= 0)
      return std::puts("plugin.instructions: there is no valgrind"), void();
    ratio.push_back(per_event("plugin_loaded") / linked.back());
  }
  to.value("plugin.instructions", "ratio", spread_of(ratio), 1.03,
           "per event, of " + std::to_string(std::lround(spread_of(linked).median)) +
               " with the handler linked in");
}

void first_event(report& to) {
  std::vector<double> ms;
  for (int round = 0; round < 20; ++round) {
    auto at = start();
    auto host = open(at);
    const auto begun = clock::now();
    load(host, false);
    at.publish<LessonPublished>([](auto lesson) { fill_lesson(lesson, 1); }, {.track = true})
        .value()
        .wait(10s)
        .value();
    ms.push_back(seconds_since(begun) * 1e3);
  }
  to.value("plugin.first_event", "ms", spread_of(ms), 50, "from `load` to the first event handled");
}

/// 20,000 events a second on a hundred keys, and what the handler tells of each.
class traffic {
public:
  explicit traffic(edupulse::node& at) : at_(at) {
    at.subscribe<LessonUpdated>("witness", [this](LessonUpdated::Reader what) {
        const auto now = clock::now();
        auto& last = last_[std::string(what.getLessonId())];
        if (last != clock::time_point{})
          longest_ = std::max(longest_, now - last);
        last = now;
        ++told_;
      }).value();
    thread_ = std::thread([this] { run(); });
  }
  /// Published, told of, and the longest time between two events of a key, in ms.
  std::tuple<std::uint64_t, std::uint64_t, double> end() {
    ended_ = true;
    thread_.join();
    // A handler's events are not admitted any more once the node drains.
    for (const auto until = clock::now() + 10s; told_ < published_ && clock::now() < until;)
      std::this_thread::yield();
    drain(at_);
    return {published_, told_.load(), std::chrono::duration<double, std::milli>(longest_).count()};
  }

private:
  void run() {
    for (auto due = clock::now(); !ended_; due += 50us) {
      std::this_thread::sleep_until(due);
      publish(at_, published_++ % 100);
    }
  }

  edupulse::node& at_;
  std::atomic<bool> ended_{false};
  std::uint64_t published_ = 0;
  std::atomic<std::uint64_t> told_{0};
  clock::duration longest_{};
  std::map<std::string, clock::time_point> last_;
  std::thread thread_;
};

/// Without swaps first: what the machine does to 20,000 events a second anyway.
void swap_pause(report& to, bool quick) {
  for (const bool swapping : {false, true}) {
    std::vector<double> pauses, took;
    for (int round = 0; round < 3; ++round) {
      auto at = start();
      auto host = open(at);
      load(host, true);
      traffic all(at);
      for (int i = 0; i < (quick ? 10 : 100); ++i) {
        std::this_thread::sleep_for(20ms);
        if (swapping)
          took.push_back(
              std::chrono::duration<double, std::milli>(
                  host.swap("bench", plugin_file(2 - i % 2), {{"tells", "true"}}).value().took)
                  .count());
      }
      const auto [published, told, longest] = all.end();
      if (published != told)
        std::printf("plugin.swap: %lu published and %lu told of\n", published, told);
      pauses.push_back(longest);
    }
    to.value(swapping ? "plugin.swap_pause" : "plugin.no_swap_pause", "ms", spread_of(pauses),
             swapping ? 100 : 0, "the longest between two events of a key, 5 ms apart");
    if (swapping)
      to.value("plugin.swap", "ms", spread_of(took), 0, "from the first stop to the last start");
  }
}

void swap_memory(report& to, bool quick) {
  auto at = start();
  auto host = open(at);
  load(host, false);
  const int swaps = quick ? 50 : 1000;
  const auto swap_some = [&](int how_many) {
    for (int i = 0; i < how_many; ++i)
      host.swap("bench", plugin_file(2 - i % 2), {}).value();
  };
  swap_some(10);
  const double before = status_mib("VmRSS:");
  const auto begun = clock::now();
  swap_some(swaps);
  const double kib = (status_mib("VmRSS:") - before) * 1024 / swaps;
  to.value("plugin.swap_memory", "KiB", {kib, kib, kib}, 0,
           "for each of " + std::to_string(swaps) + " swaps, which took " +
               std::to_string(std::lround(seconds_since(begun) * 1e3 / swaps)) + " ms each");
}

} // namespace

int plugin_child(bool loaded, std::uint64_t events) {
  run(loaded, events);
  return 0;
}

void plugins(report& to, const std::function<bool(const char*)>& wanted, bool quick) {
  if (wanted("plugin.throughput"))
    time_per_event(to, quick);
  if (wanted("plugin.instructions"))
    instructions_per_event(to, quick);
  if (wanted("plugin.first_event"))
    first_event(to);
  if (wanted("plugin.swap"))
    swap_pause(to, quick);
  if (wanted("plugin.swap_memory"))
    swap_memory(to, quick);
}

} // namespace bench
