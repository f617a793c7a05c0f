// Our nodes: one process publishes, others handle, over loopback.

#include "remote.hpp"
#include "runtime/tls/pki.hpp"
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <edupulse/node.hpp>
#include <fstream>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace bench {

namespace {

using namespace std::chrono_literals;
using edupulse::node;

template <class T> T value_of(edupulse::expected<T> what) {
  if (!what) {
    std::fprintf(stderr, "edupulse: %s\n", what.error().text.c_str());
    std::exit(1);
  }
  return std::move(*what);
}

void must(const edupulse::expected<void>& done) {
  if (!done) {
    std::fprintf(stderr, "edupulse: %s\n", done.error().text.c_str());
    std::exit(1);
  }
}

/// What a publisher or subscriber is told on its command line.
struct order {
  explicit order(const std::vector<std::string>& args)
      : events(std::stoull(args.at(0))), subscribers(std::stoull(args.at(1))),
        bytes(std::stoull(args.at(2))),
        level(args.at(3) == "best_effort" ? edupulse::delivery_level::best_effort
                                          : edupulse::delivery_level::acknowledged),
        tls(args.at(4)), address(args.size() > 5 ? args[5] : "") {}

  static std::vector<std::string> words(const load& what, promise level, const std::string& tls) {
    return {std::to_string(what.events), std::to_string(what.subscribers),
            std::to_string(what.bytes),
            level == promise::best_effort ? "best_effort" : "acknowledged", tls};
  }

  node start(std::string name) const {
    edupulse::node_options how;
    how.name = tls.empty() ? name + "-" + std::to_string(::getpid()) : std::move(name);
    how.cluster.name = "bench";
    how.cluster.listen = "127.0.0.1:0";
    how.cluster.tls = tls;
    if (!address.empty())
      how.cluster.join = {address};
    if (bytes > 4096 || level == edupulse::delivery_level::best_effort) // as the backlog is
      how.cluster.peer_budget = how.cluster.budget = std::size_t{1} << 40;
    how.log = edupulse::log_level::error; // what is dropped or stalled is in the figures
    // For the row of 1 MiB; the others are far below either limit.
    how.max_event_bytes = 2u << 20;
    how.inbox_bytes = 32u << 20;
    return value_of(node::start(how));
  }

  std::uint64_t events;
  std::uint64_t subscribers;
  std::size_t bytes;
  edupulse::delivery_level level;
  std::string tls;
  std::string address;
};

class sender {
public:
  sender(node& at, const order& what) : at_(at), what_(what), body_(what.bytes, 'x') {
    options_.level = what.level;
    options_.deadline = 60s;
  }
  /// Best effort never waits: while the router's inbox is full, the answer is to come again.
  void send(std::uint64_t number) {
    for (;;) {
      auto sent =
          at_.publish<LessonPublished>([&](auto lesson) { fill(lesson, number); }, options_);
      if (sent)
        return;
      if (what_.level != edupulse::delivery_level::best_effort ||
          sent.error().code != edupulse::errc::back_pressure)
        value_of(std::move(sent));
      std::this_thread::sleep_for(50us); // a spinning publisher takes the processor from the rest
    }
  }

private:
  void fill(LessonPublished::Builder lesson, std::uint64_t number) const {
    fill_lesson(lesson, number);
    if (what_.bytes != payload_bytes)
      lesson.setBody({body_.data(), body_.size()});
  }

  node& at_;
  const order& what_;
  std::string body_;
  edupulse::publish_options options_;
};

int publish(const std::vector<std::string>& args) {
  const order what(args);
  auto at = what.start("publisher");
  say("address " + at.address());
  await_line();
  must(at.ready("lesson.published", what.subscribers, 20s));
  sender out(at, what);
  for (std::uint64_t i = 0; i < what.events; ++i)
    out.send(i);
  say("published");
  await_line();
  return 0;
}

int subscribe_with(const order& what, edupulse::subscription_options options) {
  if (what.bytes > 4096) // so that more than a handful of events is under way
    options.backlog_bytes = 64u << 20;
  if (what.level == edupulse::delivery_level::best_effort) { // as the peer beside it: no limit
    options.backlog_events = what.events;
    options.backlog_bytes = what.events * (what.bytes + 1024);
  }
  auto at = what.start("subscriber");
  tally seen(what.events);
  std::size_t sum = 0;
  auto handler = [&](LessonPublished::Reader lesson) {
    sum += lesson.getTitle().size();
    seen.one();
  };
  value_of(at.subscribe<LessonPublished>("counter", handler, options));
  say("ready");
  serve_until_the_end(seen);
}

int subscribe(const std::vector<std::string>& args) { return subscribe_with(order(args), {}); }

int subscribe_impatient(const std::vector<std::string>& args) {
  edupulse::subscription_options options;
  options.stall_after = 200ms;
  return subscribe_with(order(args), options);
}

// -- paced ----------------------------------------------------------------------------

int publish_paced(const std::vector<std::string>& args) {
  const order what(args);
  auto at = what.start("publisher");
  say("address " + at.address());
  await_line();
  must(at.ready("lesson.published", 1, 20s));
  paced(what.events, [&](std::uint64_t number) {
    char sent[20];
    const int length =
        std::snprintf(sent, sizeof sent, "%016llx", static_cast<unsigned long long>(now_ns()));
    value_of(at.publish<LessonPublished>([&](auto lesson) {
      fill_lesson(lesson, number);
      lesson.setTeacherId({sent, static_cast<std::size_t>(length)});
    }));
  });
  await_line();
  return 0;
}

int subscribe_paced(const std::vector<std::string>& args) {
  const order what(args);
  auto at = what.start("subscriber");
  ages seen(what.events);
  auto handler = [&](LessonPublished::Reader lesson) {
    seen.one(std::strtoll(lesson.getTeacherId().cStr(), nullptr, 16));
  };
  value_of(at.subscribe<LessonPublished>("reader", handler));
  say("ready");
  for (;;)
    await_line();
}

// -- with one eye on memory -------------------------------------------------------------

/// Says "stalled" once, as soon as some subscription misses events for that reason.
void watch(const node& at, const std::atomic<bool>& over) {
  const auto why = edupulse::drop_reason::shed_stalled;
  while (!over && at.ledger().total().dropped_for(why) == 0)
    std::this_thread::sleep_for(10ms);
  if (!over)
    say("stalled");
}

int publish_watched(const std::vector<std::string>& args) {
  const order what(args);
  auto at = what.start("publisher");
  say("address " + at.address());
  await_line();
  must(at.ready("lesson.published", what.subscribers, 20s));
  std::ofstream("/proc/self/clear_refs") << 5; // the peak counts from here
  const double idle = proc_mib("/proc/self/status", "VmRSS");
  say("set");
  await_line();
  std::atomic<bool> over{false};
  std::thread watcher([&] { watch(at, over); });
  sender out(at, what);
  for (std::uint64_t i = 0; i < what.events; ++i)
    out.send(i);
  say("published");
  over = true;
  watcher.join();
  await_line();
  say("memory " + std::to_string(idle) + " " +
      std::to_string(proc_mib("/proc/self/status", "VmHWM")));
  await_line();
  return 0;
}

} // namespace

contender nodes(promise level, std::shared_ptr<const certificates> tls) {
  const auto place = [tls](const char* who) { return tls ? tls->of(who) : std::string(); };
  return {tls ? "edupulse with TLS" : "edupulse",
          {},
          [=](const load& what) {
            return child::role("node_publish", order::words(what, level, place("publisher")));
          },
          [=](const load& what, const std::string& address) {
            auto words = order::words(what, level, place("subscriber"));
            words.push_back(address);
            return child::role("node_subscribe", words);
          }};
}

contender nodes_paced() {
  auto made = nodes(promise::acknowledged);
  made.publisher = [](const load& what) {
    return child::role("node_publish_paced", order::words(what, promise::acknowledged, ""));
  };
  made.subscriber = [](const load& what, const std::string& address) {
    auto words = order::words(what, promise::acknowledged, "");
    words.push_back(address);
    return child::role("node_subscribe_paced", words);
  };
  return made;
}

contender nodes_watched() {
  auto made = nodes(promise::acknowledged);
  made.publisher = [](const load& what) {
    return child::role("node_publish_watched", order::words(what, promise::acknowledged, ""));
  };
  made.subscriber = [](const load& what, const std::string& address) {
    auto words = order::words(what, promise::acknowledged, "");
    words.push_back(address);
    return child::role("node_subscribe_impatient", words);
  };
  return made;
}

void add_node_roles(roles& to) {
  to["node_publish"] = publish;
  to["node_subscribe"] = subscribe;
  to["node_subscribe_impatient"] = subscribe_impatient;
  to["node_publish_paced"] = publish_paced;
  to["node_subscribe_paced"] = subscribe_paced;
  to["node_publish_watched"] = publish_watched;
}

// -- certificates -------------------------------------------------------------------------

certificates::certificates() {
  using namespace edupulse;
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  const pki::period valid{now - 600, now + 86'400};
  const auto made = value_of(pki::authority::make("bench", valid));
  const auto ca =
      value_of(pki::authority::open({made.certificate, "certificate"}, {made.key, "key"}));
  const auto list = value_of(ca.revoke({}, {}, valid));
  for (const std::string name : {"publisher", "subscriber"}) {
    const auto own = value_of(ca.issue(name, {}, valid));
    place_.write(name + "/ca.crt", made.certificate);
    place_.write(name + "/ca.crl", list);
    place_.write(name + "/node.crt", own.certificate);
    place_.write(name + "/node.key", own.key);
  }
}

} // namespace bench
