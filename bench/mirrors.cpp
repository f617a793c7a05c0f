// Mirrors to brokers beside their client libraries, bare: the same messages, the same level of
// acknowledgement, the same server, in turns.

#include "bare_clients.hpp"
#include "bench.hpp"
#include "contender.hpp"
#include "runtime/transports/broker_message.hpp"
#include <algorithm>
#include <atomic>
#include <edupulse/node.hpp>
#include <edupulse/transports.hpp>
#include <future>
#include <sys/resource.h>
#include <thread>

namespace bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "edupulse-bench: %s\n", why.c_str());
  std::exit(1);
}

/// Of this process, all its threads.
double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& what) {
    return static_cast<double>(what.tv_sec) + static_cast<double>(what.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Nobody listens there.
std::string transport_to_nobody() {
  return edupulse::transport_schemes().front() + "://127.0.0.1:" + std::to_string(free_port());
}

struct figures {
  double per_second = 0;
  double cpu_us = 0; ///< of an event
};

template <class F> figures timed(std::uint64_t events, F work) {
  const auto cpu = cpu_seconds();
  const auto begun = clock::now();
  work();
  const auto n = static_cast<double>(events);
  return {n / seconds_since(begun), (cpu_seconds() - cpu) / n * 1e6};
}

edupulse::node start() {
  return edupulse::node::start({.name = "bench", .log = edupulse::log_level::off}).value();
}

/// From the first publish to the last confirmation. Publishing is part of it.
figures run_mirror(const std::string& url, std::uint64_t events) {
  auto at = start();
  auto to = edupulse::open_transport(url);
  if (!to)
    give_up(to.error().text);
  while ((*to)->health().is != edupulse::transport_health::state::up)
    std::this_thread::sleep_for(1ms);
  auto options = edupulse::mirror_options(**to);
  options.overload = edupulse::overload_policy::strict; // all of them are to get there
  at.attach_mirror("copy", ">", *to, options).value();
  return timed(events, [&] {
    for (std::uint64_t i = 0; i < events; ++i)
      at.publish<LessonPublished>([&](auto lesson) { fill_lesson(lesson, i); }).value();
    if (!at.drain(300s))
      give_up("the mirror did not drain");
  });
}

/// What the mirror writes of one lesson: how long it is.
edupulse::broker_message one_message(edupulse::message_form form) {
  auto at = start();
  edupulse::message_options how;
  how.topic = edupulse::topic_template::parse("{topic}").value();
  how.form = form;
  std::promise<edupulse::broker_message> made;
  at.subscribe(">", "look", [&](const edupulse::envelope& event) {
      made.set_value(edupulse::to_message(event, how).value());
    }).value();
  at.publish<LessonPublished>([&](auto lesson) { fill_lesson(lesson, 0); }).value();
  return made.get_future().get();
}

struct form_row {
  const char* name;
  edupulse::message_form form;
};
/// The first one is the goal's: making JSON of an event is no part of a client library.
constexpr form_row forms[] = {{"", edupulse::message_form::envelope},
                              {".cloudevents", edupulse::message_form::cloudevents}};

void compare(report& to, const bare_client& with, bool quick) {
  const auto server = with.start();
  const auto events = quick ? with.events / 10 : with.events;
  for (const auto& [suffix, form] : forms) {
    const auto message = one_message(form);
    const auto url = server->url + "&format=" + std::string(edupulse::to_string(form));
    std::vector<double> ours, bare, ratio, our_cpu, bare_cpu;
    for (int round = 0; round < (quick ? 1 : 5); ++round) {
      const auto theirs = timed(events, [&] {
        with.publish(*server, events, message.body, std::string(message.content_type));
      });
      const auto mirror = run_mirror(url, events);
      ours.push_back(mirror.per_second);
      bare.push_back(theirs.per_second);
      ratio.push_back(mirror.per_second / theirs.per_second);
      our_cpu.push_back(mirror.cpu_us);
      bare_cpu.push_back(theirs.cpu_us);
    }
    char note[160];
    std::snprintf(note, sizeof note, "CPU %.2f us an event, bare %.2f; %zu bytes each",
                  spread_of(our_cpu).median, spread_of(bare_cpu).median, message.body.size());
    const bool is_goal = form == edupulse::message_form::envelope;
    to.compared("mirror." + with.name + suffix, "events/s", spread_of(ours),
                {{"client", spread_of(bare), spread_of(ratio)}}, is_goal ? 0.8 : 0, note);
  }
}

/// Confirms at once.
class instant_transport final : public edupulse::transport {
public:
  std::string_view name() const noexcept override { return "instant"; }
  void publish(std::vector<edupulse::outbound_event> batch) override {
    for (auto& one : batch)
      one.done.complete(edupulse::outcome::ok());
  }
};

struct beside {
  double per_second = 0; ///< into another subscription of the node
  double grown = 0;      ///< MiB, of the process
};

/// Beside a mirror. In a process of its own: what one run took and freed is not the next one's.
beside run_beside(const edupulse::transport_ptr& to, std::uint64_t events) {
  auto at = start();
  std::atomic<std::uint64_t> seen = 0;
  at.attach_mirror("copy", ">", to).value();
  at.subscribe<LessonPublished>("reader", [&](auto, const edupulse::event_info&) {
      ++seen;
    }).value();
  const auto before = status_mib("VmRSS:");
  const auto begun = clock::now();
  for (std::uint64_t i = 0; i < events; ++i)
    at.publish<LessonPublished>([&](auto lesson) { fill_lesson(lesson, i); }).value();
  while (seen < events)
    std::this_thread::yield();
  const double rate = static_cast<double>(events) / seconds_since(begun);
  const double grown = status_mib("VmRSS:") - before;
  at.detach_mirror("copy");
  return {rate, grown};
}

beside ask_beside(const char* broker, std::uint64_t events) {
  auto one = child::role("beside_mirror", {broker, std::to_string(events)});
  beside made;
  made.per_second = std::stod(one.expect("per_second"));
  made.grown = std::stod(one.expect("grown"));
  one.end();
  return made;
}

/// A broker that is gone, beside one that confirms at once: what an outage costs everybody else.
void outage(report& to, bool quick) {
  const std::uint64_t events = quick ? 200'000 : 2'000'000;
  std::vector<double> gone, there, ratio, grown;
  for (int round = 0; round < (quick ? 1 : 5); ++round) {
    const auto works = ask_beside("there", events);
    const auto broken = ask_beside("gone", events);
    gone.push_back(broken.per_second);
    there.push_back(works.per_second);
    ratio.push_back(broken.per_second / works.per_second);
    grown.push_back(broken.grown);
  }
  to.compared("mirror.outage", "events/s", spread_of(gone),
              {{"confirms at once", spread_of(there), spread_of(ratio)}}, 0.95,
              "published into another subscription meanwhile");
  to.value("mirror.outage_memory", "MiB", spread_of(grown), 0, "its backlog is 64 MiB at most");
}

} // namespace

void add_mirror_roles(roles& to) {
  to["beside_mirror"] = [](const std::vector<std::string>& args) {
    const bool is_there = args.at(0) == "there";
    const auto broker = is_there ? std::make_shared<instant_transport>()
                                 : edupulse::open_transport(transport_to_nobody()).value();
    const auto found = run_beside(broker, std::stoull(args.at(1)));
    say("per_second " + std::to_string(found.per_second));
    say("grown " + std::to_string(found.grown));
    return 0;
  };
}

void mirrors(report& to, const std::function<bool(const char*)>& wanted, bool quick) {
  if (wanted("mirror.outage"))
    outage(to, quick);
  for (const auto& one : bare_clients()) {
    const auto row = "mirror." + one.name;
    if (!wanted(row.c_str()))
      continue;
    if (one.missing.empty())
      compare(to, one, quick);
    else
      std::printf("%-28s skipped: %s is not installed\n", row.c_str(), one.missing.c_str());
  }
}

} // namespace bench
