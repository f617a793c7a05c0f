// A node with its real threads. No test here waits for a length of time: each waits for something
// to happen, and CTest's own limit ends one that waits in vain.

#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include <algorithm>
#include <array>
#include <atomic>
#include <edupulse/node.hpp>
#include <filesystem>
#include <future>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::test;

namespace {

/// Opens when told, from any thread.
class latch {
public:
  void open() { promise_.set_value(); }
  /// Who waits may outlive the latch: a call that the node gave up on ends when it likes.
  void wait() const {
    const auto kept = future_;
    kept.wait();
  }

private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

/// What went wrong; `errc{}` when nothing did.
template <class T> errc code_of(const T& answer) { return answer ? errc{} : answer.error().code; }

std::string state_of(const node& at, std::string_view name) {
  for (const auto& one : at.subscriptions())
    if (one.name == name)
      return one.state;
  return "not there";
}

struct temporary_directory {
  temporary_directory() {
    char name[] = "/tmp/edupulse-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~temporary_directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

/// Its first call of all lives does not return before `release` opens.
struct blocking_once {
  std::atomic<int>& inside;
  latch& release;
  void handle(LessonPublished::Reader) {
    if (inside.fetch_add(1) < 2)
      release.wait();
  }
};

} // namespace

TEST_CASE("G2: everything published from many threads is handled by every subscription, and the "
          "books balance") {
  auto at = start_quiet();
  std::atomic<int> handled{0};
  for (int i = 0; i < 4; ++i)
    REQUIRE(at.subscribe<LessonPublished>("s" + std::to_string(i), [&](auto) { ++handled; }));
  std::vector<std::thread> publishers;
  for (int t = 0; t < 4; ++t)
    publishers.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i)
        if (!publish_lesson(at, "k" + std::to_string(t), std::to_string(i), {.deadline = 60s}))
          std::terminate();
    });
  for (auto& one : publishers)
    one.join();
  REQUIRE(at.drain(60s));
  CHECK(handled == 4 * 4 * 5000);
  check_books(at);
}

TEST_CASE(
    "G3: each publisher's events of one key arrive in order, with four handlers and crashes") {
  auto at = start_quiet();
  std::mutex mutex;
  std::map<std::string, int> next;
  std::atomic<int> calls{0};
  bool in_order = true;
  subscription_options options;
  options.concurrency = 4;
  options.retry.first = 1ms;
  options.retry.max_crashes = 100;
  REQUIRE(at.subscribe<LessonPublished>(
      "reader",
      [&](LessonPublished::Reader lesson) {
        if (++calls % 501 == 0)
          throw std::runtime_error("now and then");
        std::lock_guard guard(mutex);
        auto& expected = next[lesson.getLessonId().cStr()];
        in_order = in_order && std::stoi(lesson.getTitle().cStr()) == expected;
        ++expected;
      },
      options));
  for (int i = 0; i < 4000; ++i)
    REQUIRE(publish_lesson(at, "k" + std::to_string(i % 7), std::to_string(i / 7)));
  REQUIRE(at.drain(60s));
  CHECK(in_order);
  CHECK(at.ledger().total().handled == 4000);
}

TEST_CASE("G1: a receipt can be waited on, and on a handler's thread it is refused rather than "
          "deadlocked") {
  latch blocked; // before the node: handlers use it until the node is gone
  auto at = start_quiet();
  std::promise<errc> said;
  REQUIRE(at.subscribe<LessonPublished>("outer", [&](auto) {
    auto inner = at.publish<StudentEnrolled>([](auto) {}, {.track = true});
    said.set_value(code_of(inner->wait(10s)));
  }));
  REQUIRE(at.subscribe<StudentEnrolled>("never", [&](auto) { blocked.wait(); }));
  const auto receipt = publish_lesson(at, "a", "1", {.track = true});
  REQUIRE(receipt->wait(30s));
  CHECK(said.get_future().get() == errc::refused);
  blocked.open();
}

TEST_CASE("G11: a handler that never returns is fenced and replaced, and its neighbours go on") {
  latch release;
  auto at = start_quiet();
  std::atomic<int> calls{0};
  std::atomic<int> neighbour{0};
  subscription_options options;
  options.time_limit = 50ms;
  options.retry.first = 1ms;
  REQUIRE(at.subscribe<LessonPublished>(
      "stuck",
      [&](auto) {
        if (calls++ == 0)
          release.wait();
      },
      options));
  REQUIRE(at.subscribe<LessonPublished>("neighbour", [&](auto) { ++neighbour; }));
  for (int i = 0; i < 10; ++i)
    REQUIRE(publish_lesson(at, "k" + std::to_string(i)));
  REQUIRE(at.drain(60s)); // also the event it hung at: it is tried again by the successor
  CHECK(neighbour == 10);
  CHECK(at.ledger().of_subscription("stuck").handled == 10);
  CHECK(at.ledger().of_subscription("stuck").crashes == 1);
  release.open();
}

TEST_CASE("G11: when calls that never return hold every worker, the other handlers still go on") {
  latch release;
  std::atomic<int> inside{0};
  std::atomic<int> made{0};
  std::atomic<int> others{0};
  auto at = node::start({.workers = 2, .log = log_level::off}).value();
  subscription_options options;
  options.time_limit = 50ms;
  options.retry.first = 1ms;
  for (const char* name : {"other-1", "other-2", "other-3"})
    REQUIRE(at.subscribe<StudentEnrolled>(name, [&](auto) { ++others; }));
  for (const char* name : {"stuck-1", "stuck-2"})
    REQUIRE(at.subscribe<LessonPublished>(
        name,
        [&] {
          ++made;
          return std::make_unique<blocking_once>(blocking_once{inside, release});
        },
        options));
  REQUIRE(publish_lesson(at, "a"));
  eventually([&] { return inside >= 2; }); // both workers are held now
  for (int i = 0; i < 10; ++i)
    REQUIRE(at.publish<StudentEnrolled>([](auto) {}));
  REQUIRE(at.subscribe<StudentEnrolled>("late", [&](auto) { ++others; }));
  REQUIRE(at.publish<StudentEnrolled>([](auto) {}));
  REQUIRE(at.drain(60s));
  CHECK(others == 34);
  CHECK(made >= 4);
  CHECK(at.ledger().balances());
  release.open();
}

TEST_CASE("G11: one stuck call more than allowed quarantines its scope, and the node goes on") {
  latch release;
  std::atomic<int> calls{0};
  std::atomic<int> others{0};
  auto at = node::start({.stuck_calls_max = 2, .log = log_level::off}).value();
  subscription_options options;
  options.time_limit = 20ms;
  options.retry.first = 1ms;
  REQUIRE(at.subscribe<LessonPublished>(
      "hangs",
      [&](auto) {
        ++calls;
        release.wait();
      },
      options));
  REQUIRE(at.subscribe<StudentEnrolled>("other", [&](auto) { ++others; }));
  REQUIRE(publish_lesson(at, "a"));
  eventually([&] { return state_of(at, "hangs") == "quarantined"; });
  CHECK(calls == 3);
  REQUIRE(at.publish<StudentEnrolled>([](auto) {}));
  eventually([&] { return others == 1; });
  release.open();
  REQUIRE(at.find("hangs")->resume());
  REQUIRE(at.drain(60s));
  CHECK(at.ledger().of_subscription("hangs").handled == 1);
}

TEST_CASE("G11: a handler that blocks on a socket is fenced like any other") {
  auto at = start_quiet();
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  std::atomic<int> calls{0};
  subscription_options options;
  options.time_limit = 50ms;
  options.retry.first = 1ms;
  options.execution = execution_place::own_thread;
  REQUIRE(at.subscribe<LessonPublished>(
      "reader",
      [&, fd = ends[0]](auto) {
        char byte;
        if (calls++ == 0)
          static_cast<void>(::read(fd, &byte, 1));
      },
      options));
  REQUIRE(publish_lesson(at, "a"));
  REQUIRE(at.drain(60s));
  CHECK(calls == 2);
  ::close(ends[1]); // and the first call returns
  at.stop(1s);
  ::close(ends[0]);
}

TEST_CASE(
    "G20: a node whose handler never returns still stops, and says how many calls it left behind") {
  auto release = std::make_shared<latch>();
  stop_report report;
  {
    auto at = start_quiet();
    std::promise<void> inside;
    REQUIRE(at.subscribe<LessonPublished>("stuck", [&inside, release](auto) {
      inside.set_value();
      release->wait();
    }));
    REQUIRE(publish_lesson(at, "a"));
    inside.get_future().wait();
    report = at.stop(10ms);
  }
  CHECK(report.stuck_calls == 1);
  CHECK_FALSE(report.drained);
  release->open();
}

TEST_CASE("G14: a handler may publish, subscribe, unsubscribe itself, and stop the node, and "
          "nothing deadlocks") {
  std::atomic<int> good{0};
  std::promise<void> stopping;
  auto at = start_quiet();
  REQUIRE(at.subscribe<LessonPublished>("busy", [&](auto) {
    good += at.publish<StudentEnrolled>([](auto) {}).has_value();
    auto self = at.find("busy");
    good += self && self->unsubscribe();
    good += at.subscribe<StudentEnrolled>("later", [&](auto) {
                at.stop(5s);
                stopping.set_value();
              }).has_value();
    good += at.ledger().balances();
  }));
  REQUIRE(publish_lesson(at, "a"));
  REQUIRE(at.ready("student.enrolled", 1, 30s));
  eventually([&] { return state_of(at, "busy") == "not there"; });
  CHECK(good == 4);
  REQUIRE(at.publish<StudentEnrolled>([](auto) {}));
  stopping.get_future().wait();
  at.stop(5s); // waits for the one that is under way
  CHECK(code_of(at.publish<StudentEnrolled>([](auto) {})) == errc::stopping);
}

TEST_CASE("G14: a handler that publishes to itself for ever neither deadlocks nor grows") {
  auto at = start_quiet();
  std::atomic<int> calls{0};
  REQUIRE(at.subscribe<LessonPublished>("echo", [&](auto, context& ctx) {
    ++calls;
    return ctx.publish<LessonPublished>([](auto) {}) ? outcome::ok() : outcome::retry("full");
  }));
  REQUIRE(publish_lesson(at, "a"));
  eventually([&] { return calls > 2000; });
  const auto left = at.stop(20ms);
  CHECK_FALSE(left.drained);
  CHECK(left.dropped <= 2);
}

TEST_CASE(
    "G14: publish on a handler's thread answers back_pressure at once when a backlog is full") {
  latch release;
  auto at = start_quiet();
  std::promise<errc> said;
  subscription_options options;
  options.backlog_events = 4;
  options.overload = overload_policy::strict;
  REQUIRE(at.subscribe<StudentEnrolled>(
      "full", [&](auto) { release.wait(); }, options));
  for (int i = 0; i < 4; ++i)
    REQUIRE(at.publish<StudentEnrolled>([](auto) {}));
  eventually([&] { return !at.publish<StudentEnrolled>([](auto) {}, {.deadline = 0s}); });
  REQUIRE(at.subscribe<LessonPublished>("publisher", [&](auto) {
    said.set_value(code_of(at.publish<StudentEnrolled>([](auto) {}, {.deadline = 1h})));
  }));
  REQUIRE(publish_lesson(at, "a"));
  CHECK(said.get_future().get() == errc::back_pressure);
  release.open();
}

TEST_CASE("G25, G26: three members of a group on one node share 10,000 events, each handled once, "
          "keys in order and at one member") {
  auto at = start_quiet();
  std::array<journal, 3> seen;
  for (std::size_t i = 0; i < 3; ++i)
    REQUIRE(at.subscribe<LessonPublished>("m" + std::to_string(i), note_in(seen[i]),
                                          {.group = "indexers"}));
  CHECK(at.ready("lesson.published", 1, 5s));
  std::map<std::string, std::vector<std::string>> published;
  for (int i = 0; i < 10'000; ++i) {
    const auto key = i % 5 == 0 ? "" : "k" + std::to_string(i % 97);
    published[key].push_back(std::to_string(i));
    REQUIRE(publish_lesson(at, key, published[key].back(), {.deadline = 60s}));
  }
  const auto last = publish_lesson(at, "k1", "last", {.track = true});
  REQUIRE(last);
  published["k1"].push_back("last");
  const auto end = last->wait(60s);
  REQUIRE(end);
  CHECK(end->owed == 1);
  CHECK(end->handled == 1);
  REQUIRE(at.drain(60s));
  CHECK(seen[0].size() + seen[1].size() + seen[2].size() == 10'001);
  for (const auto& [key, titles] : published) {
    std::vector<std::vector<std::string>> shares;
    for (const auto& one : seen)
      shares.push_back(one.of(key));
    if (key.empty()) // shared, none twice
      CHECK(shares[0].size() + shares[1].size() + shares[2].size() == titles.size());
    else
      CHECK(std::count(shares.begin(), shares.end(), titles) == 1);
  }
  for (const auto& one : seen)
    CHECK(one.size() > 1000);
  check_books(at);
}

TEST_CASE("G19: unsubscribe returns when no call is running, and no event comes after it") {
  auto at = start_quiet();
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> gone{false};
    std::atomic<bool> called_after{false};
    auto reader = at.subscribe<LessonPublished>("reader", [&](auto) {
      if (gone)
        called_after = true;
    });
    REQUIRE(reader);
    for (int i = 0; i < 500; ++i)
      REQUIRE(publish_lesson(at, "k" + std::to_string(i)));
    REQUIRE(reader->unsubscribe());
    gone = true;
    CHECK_FALSE(called_after);
    CHECK(code_of(reader->unsubscribe()) == errc::not_found);
  }
  check_books(at);
}

TEST_CASE("G19: what a handler was made with has ended when unsubscribe returns, and may call the "
          "node as it does") {
  auto at = start_quiet();
  struct held {
    node& at;
    std::atomic<bool>& ended;
    ~held() { ended = at.sources().empty() && publish_lesson(at, "k"); }
  };
  std::atomic<bool> ended = false;
  auto subscribed =
      at.subscribe<LessonPublished>("watch", [what = std::make_shared<held>(at, ended)](auto) {});
  REQUIRE(subscribed);
  REQUIRE(subscribed->unsubscribe());
  CHECK(ended);
}

TEST_CASE(
    "G20: publishing from sixteen threads while the node stops: each is handled, or told no") {
  auto at = start_quiet();
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::uint64_t> accepted{0};
  REQUIRE(at.subscribe<LessonPublished>("reader", [&](auto) { ++handled; }));
  std::vector<std::thread> publishers;
  for (int t = 0; t < 16; ++t)
    publishers.emplace_back([&] {
      for (;;) {
        const auto sent = publish_lesson(at, "a");
        if (sent)
          ++accepted;
        else if (sent.error().code == errc::stopping)
          return;
      }
    });
  eventually([&] { return accepted > 1000; });
  const auto report = at.stop(60s);
  for (auto& one : publishers)
    one.join();
  CHECK(report.drained);
  CHECK(handled == accepted);
  CHECK(at.ledger().balances());
}

TEST_CASE(
    "G24: dead letters outlive the process in the data directory, and are redriven by the next") {
  temporary_directory where;
  {
    auto at = start_quiet({.data_dir = where.path});
    REQUIRE(at.subscribe<LessonPublished>("reader", [](auto) { return outcome::reject("bug"); }));
    for (int i = 0; i < 50; ++i)
      REQUIRE(publish_lesson(at, "k" + std::to_string(i), "kept"));
    REQUIRE(at.drain(60s));
    CHECK(at.ledger().total().dead == 50);
  }
  auto at = start_quiet({.data_dir = where.path});
  std::atomic<int> handled{0};
  REQUIRE(at.subscribe<LessonPublished>("reader", [&](LessonPublished::Reader lesson) {
    if (lesson.getTitle() == "kept")
      ++handled;
  }));
  CHECK(at.ledger().total().dead == 50);
  check_books(at);
  const auto redriven = at.redrive_all("reader");
  REQUIRE(redriven);
  CHECK(*redriven == 50);
  eventually([&] { return handled == 50; });
  REQUIRE(at.drain(60s));
  REQUIRE(at.dead_letters());
  CHECK(at.dead_letters()->empty());
  CHECK(at.ledger().total().handled == 50);
  check_books(at);
}

TEST_CASE("two nodes live in one process, each with its own books") {
  auto one = start_quiet();
  auto two = start_quiet();
  std::atomic<int> first{0};
  std::atomic<int> second{0};
  REQUIRE(one.subscribe<LessonPublished>("reader", [&](auto) { ++first; }));
  REQUIRE(two.subscribe<LessonPublished>("reader", [&](auto) { ++second; }));
  for (int i = 0; i < 10; ++i)
    REQUIRE(publish_lesson(one, "a"));
  REQUIRE(publish_lesson(two, "a"));
  REQUIRE(one.drain(60s));
  REQUIRE(two.drain(60s));
  CHECK(first == 10);
  CHECK(second == 1);
}

TEST_CASE(
    "an inline handler runs on the router's thread, crashes like any other and is started again") {
  auto at = start_quiet();
  std::atomic<int> calls{0};
  subscription_options options;
  options.execution = execution_place::inlined;
  options.retry.first = 1ms;
  REQUIRE(at.subscribe<LessonPublished>(
      "inline",
      [&](auto) {
        if (++calls == 3)
          throw std::runtime_error("once");
      },
      options));
  for (int i = 0; i < 10; ++i)
    REQUIRE(publish_lesson(at, "k" + std::to_string(i)));
  REQUIRE(at.drain(60s));
  CHECK(calls == 11);
  check_books(at);
}

TEST_CASE("a node's options are checked once, at start, and the error names the option") {
  CHECK(code_of(node::start({.name = ""})) == errc::invalid_option);
  const auto bad = node::start({.name = "n", .max_event_bytes = 1});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().text.find("max_event_bytes") != std::string::npos);
}

TEST_CASE("a data directory that cannot be written is an error that names it") {
  const auto bad = node::start({.name = "n", .data_dir = "/proc/nowhere", .log = log_level::off});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == errc::io);
  CHECK(bad.error().text.find("/proc/nowhere") != std::string::npos);
}
