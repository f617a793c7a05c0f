// Handlers seen from CAF's side.

#include "tests/support/lessons.hpp"
#include <atomic>
#include <caf/scoped_actor.hpp>
#include <edupulse/caf.hpp>
#include <future>
#include <thread>

using namespace edupulse;
using namespace edupulse::test;

namespace {
node quiet() { return node::start({.name = "test", .log = log_level::off}).value(); }
} // namespace

TEST_CASE("G17: a handler actor killed with exit_msg{kill} in mid-batch is replaced, and nothing "
          "is lost") {
  std::promise<void> inside;
  std::promise<void> release;
  std::atomic<int> calls{0};
  std::atomic<int> handled{0};
  auto released = release.get_future().share();
  auto at = quiet();
  REQUIRE(at.subscribe<LessonPublished>("reader", [&, released](auto) {
    if (++calls == 10) {
      inside.set_value();
      released.wait();
    }
    ++handled;
  }));
  for (int i = 0; i < 500; ++i)
    REQUIRE(publish_lesson(at, "k" + std::to_string(i)));
  inside.get_future().wait();
  const auto before = handler_actors(at, "reader");
  REQUIRE(before.size() == 1);
  caf::anon_send_exit(before.front(), caf::exit_reason::kill);
  release.set_value();
  REQUIRE(at.drain(60s));
  CHECK(handled == 500);
  CHECK(at.ledger().total().handled == 500);
  check_books(at);
}

TEST_CASE("a CAF behavior gets one request per event, and its response is the outcome") {
  auto at = quiet();
  REQUIRE(subscribe_behavior(at, "lesson.>", "behavior", [](caf::event_based_actor*) {
    return caf::behavior{[](const caf_event& what) {
      return what.event->key() == "bad" ? outcome::reject("bad") : outcome::ok();
    }};
  }));
  for (int i = 0; i < 100; ++i)
    REQUIRE(publish_lesson(at, i % 10 == 0 ? "bad" : "k" + std::to_string(i)));
  REQUIRE(at.drain(60s));
  CHECK(at.ledger().total().handled == 90);
  CHECK(at.ledger().total().dead == 10);
}

TEST_CASE("G6: a CAF behavior that throws is made anew, and the event is tried again") {
  std::atomic<int> lives{0};
  auto at = quiet();
  subscription_options options;
  options.retry.first = 1ms;
  REQUIRE(subscribe_behavior(
      at, "lesson.>", "behavior",
      [&](caf::event_based_actor*) {
        const int life = ++lives;
        return caf::behavior{[life](const caf_event&) {
          if (life == 1)
            throw std::runtime_error("first life");
          return outcome::ok();
        }};
      },
      options));
  for (int i = 0; i < 20; ++i)
    REQUIRE(publish_lesson(at, "k" + std::to_string(i)));
  REQUIRE(at.drain(60s));
  CHECK(lives == 2);
  CHECK(at.ledger().total().handled == 20);
}

TEST_CASE("a node lives in an actor system of the application's, which goes on without it") {
  caf::actor_system_config config;
  caf::actor_system system(config);
  {
    auto at = start_on(system, {.name = "guest", .log = log_level::off}).value();
    std::atomic<int> handled{0};
    REQUIRE(at.subscribe<LessonPublished>("reader", [&](auto) { ++handled; }));
    for (int i = 0; i < 100; ++i)
      REQUIRE(publish_lesson(at, "a"));
    REQUIRE(at.drain(60s));
    CHECK(handled == 100);
    at.stop();
  }
  auto one =
      system.spawn([](caf::event_based_actor*) { return caf::behavior{[](int x) { return x; }}; });
  caf::scoped_actor self(system);
  int answer = 0;
  self->request(one, caf::infinite, 42).receive([&](int x) { answer = x; }, [](caf::error&) {});
  CHECK(answer == 42);
  caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
}
