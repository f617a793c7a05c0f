// The runtime's own runs: one node, one publisher thread, handlers that read two fields.

#include "bench.hpp"
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <edupulse/node.hpp>
#include <future>
#include <memory>
#include <thread>

namespace bench {

namespace {

using namespace std::chrono_literals;
using edupulse::node;
using edupulse::subscription_options;

/// Counts what it handles, and says when it has seen all.
struct reader_of_two_fields {
  std::uint64_t expected;
  std::shared_ptr<std::promise<void>> done;
  std::uint64_t seen = 0;
  std::uint64_t sum = 0;

  void operator()(LessonPublished::Reader lesson) {
    sum += lesson.getLessonId().size() + lesson.getTitle().size();
    if (++seen == expected)
      done->set_value();
  }
};

node start_node() { return node::start({.name = "bench"}).value(); }

void publish_or_die(node& at, std::uint64_t number) {
  auto sent = at.publish<LessonPublished>([&](auto lesson) { fill_lesson(lesson, number); },
                                          {.deadline = 60s});
  if (!sent) {
    std::fprintf(stderr, "publish: %s\n", sent.error().text.c_str());
    std::exit(1);
  }
}

} // namespace

double run_edupulse(std::size_t handlers, std::uint64_t events) {
  auto at = start_node();
  std::vector<std::future<void>> ends;
  for (std::size_t i = 0; i < handlers; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    ends.push_back(done->get_future());
    at.subscribe<LessonPublished>("reader-" + std::to_string(i),
                                  reader_of_two_fields{events, std::move(done)})
        .value();
  }
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < events; ++i)
    publish_or_die(at, i);
  for (auto& end : ends)
    end.wait();
  return static_cast<double>(events) / seconds_since(start);
}

void throughput(report& to, bool quick) {
  const int rounds = 5;
  for (const std::size_t handlers : {std::size_t{1}, std::size_t{8}}) {
    const std::uint64_t events = (handlers == 1 ? 2'000'000u : 1'000'000u) / (quick ? 10 : 1);
    run_baseline(handlers, events / 4); // warm
    run_edupulse(handlers, events / 4);
    std::vector<double> plain, ours, ratio;
    for (int round = 0; round < rounds; ++round) {
      plain.push_back(run_baseline(handlers, events) * static_cast<double>(handlers));
      ours.push_back(run_edupulse(handlers, events) * static_cast<double>(handlers));
      ratio.push_back(ours.back() / plain.back());
    }
    const bool single = handlers == 1;
    const std::string suffix = single ? "_1" : "_8";
    const std::string name = single ? "local.publish_1" : "local.fanout_8";
    const std::string unit = single ? "events/s" : "deliveries/s";
    to.value("local.baseline" + suffix, unit, spread_of(plain));
    to.value(name, unit, spread_of(ours));
    to.value(name + ".ratio", "ratio", spread_of(ratio), single ? 1.0 : 0.8);
  }
}

// -- latency --------------------------------------------------------------------------------

namespace {

/// Publishes every 200 µs and measures from before `publish` to the first line of the handler.
void measure_latency(report& to, const std::string& name, edupulse::execution_place place,
                     double asked, bool quick) {
  const std::size_t events = quick ? 2'000 : 15'000;
  std::vector<double> p50, p99, p999;
  for (int round = 0; round < 5; ++round) {
    auto at = start_node();
    std::vector<std::chrono::steady_clock::time_point> sent(events);
    std::vector<double> micros(events);
    std::atomic<std::size_t> handled{0};
    subscription_options options;
    options.execution = place;
    at.subscribe<LessonPublished>(
          "reader",
          [&](LessonPublished::Reader lesson) {
            const auto now = std::chrono::steady_clock::now();
            const auto number = std::stoul(std::string(lesson.getLessonId().cStr() + 7));
            micros[number] = std::chrono::duration<double, std::micro>(now - sent[number]).count();
            handled.fetch_add(1, std::memory_order_release);
          },
          options)
        .value();
    auto due = std::chrono::steady_clock::now() + 20ms;
    for (std::size_t i = 0; i < events; ++i, due += 200us) {
      std::this_thread::sleep_until(due);
      sent[i] = std::chrono::steady_clock::now();
      publish_or_die(at, i);
    }
    if (!at.drain(10s))
      std::exit(1);
    micros.erase(micros.begin(), micros.begin() + static_cast<std::ptrdiff_t>(events / 10));
    std::sort(micros.begin(), micros.end());
    const auto at_share = [&](double share) {
      return micros[static_cast<std::size_t>(share * static_cast<double>(micros.size() - 1))];
    };
    p50.push_back(at_share(0.5));
    p99.push_back(at_share(0.99));
    p999.push_back(at_share(0.999));
  }
  to.value(name + ".p50", "us", spread_of(p50), asked);
  to.value(name + ".p99", "us", spread_of(p99));
  to.value(name + ".p99.9", "us", spread_of(p999));
}

} // namespace

void latency(report& to, bool quick) {
  measure_latency(to, "local.latency_5k", edupulse::execution_place::shared, 40, quick);
  measure_latency(to, "local.latency_5k.inline", edupulse::execution_place::inlined, 20, quick);
}

// -- startup ----------------------------------------------------------------------------------

void startup(report& to) {
  std::vector<double> millis;
  for (int round = 0; round < 6; ++round) {
    const auto start = std::chrono::steady_clock::now();
    auto at = start_node();
    auto done = std::make_shared<std::promise<void>>();
    auto first = done->get_future();
    at.subscribe<LessonPublished>("reader", reader_of_two_fields{1, std::move(done)}).value();
    publish_or_die(at, 1);
    first.wait();
    if (round > 0)
      millis.push_back(seconds_since(start) * 1000);
  }
  to.value("local.startup", "ms", spread_of(millis), 20);
}

// -- a stopped neighbour -------------------------------------------------------------------------

namespace {

/// Deliveries a second of each fast handler, beside a stopped one or beside one more fast one.
double neighbour_run(bool stopped, std::uint64_t events) {
  auto at = start_node();
  std::promise<void> release;
  auto released = release.get_future().share();
  if (stopped) {
    subscription_options options;
    options.execution = edupulse::execution_place::own_thread;
    options.time_limit = 1h;
    at.subscribe<LessonPublished>(
          "stopped", [released](auto) { released.wait(); }, options)
        .value();
    // Fill its backlog, then wait until it is declared stalled and left behind.
    for (int i = 0; i < 9000; ++i)
      publish_or_die(at, 0);
    for (bool stalled = false; !stalled;) {
      for (const auto& one : at.subscriptions())
        stalled = stalled || one.state == "stalled";
      std::this_thread::yield();
    }
  }
  std::vector<std::future<void>> ends;
  for (int i = stopped ? 1 : 0; i < 8; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    ends.push_back(done->get_future());
    at.subscribe<LessonPublished>("fast-" + std::to_string(i),
                                  reader_of_two_fields{events, std::move(done)})
        .value();
  }
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < events; ++i)
    publish_or_die(at, i);
  for (auto& end : ends)
    end.wait();
  const auto rate = static_cast<double>(events) / seconds_since(start);
  release.set_value();
  return rate;
}

} // namespace

void slow_neighbour(report& to, bool quick) {
  const std::uint64_t events = quick ? 50'000 : 500'000;
  std::vector<double> ratio;
  for (int round = 0; round < 5; ++round) {
    const auto alone = neighbour_run(false, events);
    ratio.push_back(neighbour_run(true, events) / alone);
  }
  to.value("local.slow_neighbour", "ratio", spread_of(ratio), 0.9,
           "the stopped one was shed and counted; publishers did not wait");
}

} // namespace bench
