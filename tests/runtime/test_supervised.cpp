// Handlers end; their scopes decide what happens. (The rules themselves:
// tests/actors/test_supervision.)

#include "tests/support/lessons.hpp"

using namespace edupulse;
using namespace edupulse::test;

namespace {
std::string state_of(const testing::bus& bus, std::string_view name) {
  for (const auto& one : bus.subscriptions())
    if (one.name == name)
      return one.state;
  return "not there";
}
} // namespace

TEST_CASE("G17: a killed handler is replaced, and what it had is handled by its successor") {
  testing::bus bus;
  journal seen;
  REQUIRE(bus.subscribe<LessonPublished>("reader", note_in(seen)));
  bus.hold(true);
  for (int i = 0; i < 20; ++i)
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i)));
  bus.kill("reader");
  bus.hold(false);
  bus.advance(1s);
  CHECK(seen.size() == 20);
  check_books(bus);
}

TEST_CASE(
    "G17: one_for_all starts every handler of the scope anew, and nothing is lost or tried twice") {
  testing::bus bus;
  std::map<std::string, int> lives;
  std::map<std::string, int> handled;
  bool thrown = false;
  REQUIRE(bus.scope("team", {.strategy = restart_strategy::one_for_all}));
  struct counting {
    std::string name;
    std::map<std::string, int>& handled;
    bool* throws;
    void handle(LessonPublished::Reader) {
      if (throws != nullptr && !std::exchange(*throws, true))
        throw std::runtime_error("once");
      ++handled[name];
    }
  };
  subscription_options options;
  options.scope = "team";
  for (const char* name : {"first", "second", "third"})
    REQUIRE(bus.subscribe<LessonPublished>(
        name,
        [&, name = std::string(name)] {
          ++lives[name];
          return std::make_unique<counting>(
              counting{name, handled, name == "second" ? &thrown : nullptr});
        },
        options));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(1s);
  CHECK(lives == std::map<std::string, int>{{"first", 2}, {"second", 2}, {"third", 2}});
  CHECK(handled == std::map<std::string, int>{{"first", 1}, {"second", 1}, {"third", 1}});
  check_books(bus);
}

TEST_CASE(
    "G18: a handler that only fails is quarantined, its neighbours go on, and resume ends it") {
  testing::bus bus;
  bool broken = true;
  int neighbour = 0;
  REQUIRE(bus.subscribe<LessonPublished>("broken", [&]() -> std::unique_ptr<handler> {
    struct fine final : handler {
      outcome handle(const envelope&, context&) override { return outcome::ok(); }
    };
    if (broken)
      throw std::runtime_error("cannot start");
    return std::make_unique<fine>();
  }));
  REQUIRE(bus.subscribe<LessonPublished>("neighbour", [&](auto) { ++neighbour; }));
  for (int i = 0; i < 5; ++i)
    REQUIRE(publish_lesson(bus, "a"));
  bus.advance(60s);
  CHECK(state_of(bus, "broken") == "quarantined");
  CHECK(neighbour == 5);
  check_books(bus);
  broken = false;
  REQUIRE(bus.resume("broken"));
  bus.advance(1s);
  CHECK(state_of(bus, "broken") == "running");
  CHECK(bus.handled("broken") == 5); // by policy its events had waited
  check_books(bus);
}

TEST_CASE(
    "G18: with quarantine = dead_letter the events of a quarantined handler become dead letters") {
  testing::bus bus;
  subscription_options options;
  options.quarantine = quarantine_policy::dead_letter;
  REQUIRE(bus.subscribe<LessonPublished>(
      "broken", []() -> std::unique_ptr<handler> { throw std::runtime_error("cannot start"); },
      options));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(60s);
  REQUIRE(publish_lesson(bus, "b"));
  CHECK(bus.dead_letters().size() == 2);
  CHECK(bus.expect_dead_letter("broken", "quarantined"));
  check_books(bus);
}

TEST_CASE("G18: ordinary exceptions on one event in a hundred never quarantine anything") {
  testing::bus bus;
  int calls = 0;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto) {
    if (++calls % 100 == 0)
      throw std::runtime_error("one per cent");
  }));
  for (int i = 0; i < 5000; ++i)
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i)));
  bus.advance(10s);
  CHECK(bus.handled("reader") == 5000);
  CHECK(state_of(bus, "reader") == "running");
  check_books(bus);
}

TEST_CASE(
    "a handler whose constructor throws at the n-th restart is tried again within its intensity") {
  for (const int n : {1, 2, 5, 9}) {
    testing::bus bus;
    int starts = 0;
    struct crashing_once final : handler {
      explicit crashing_once(bool first) : first_(first) {}
      outcome handle(const envelope&, context&) override {
        if (first_)
          throw std::runtime_error("begin the restarts");
        return outcome::ok();
      }
      bool first_;
    };
    REQUIRE(bus.subscribe<LessonPublished>("reader", [&]() -> std::unique_ptr<handler> {
      ++starts;
      if (starts > 1 && starts <= 1 + n)
        throw std::runtime_error("constructor");
      return std::make_unique<crashing_once>(starts == 1);
    }));
    REQUIRE(publish_lesson(bus, "a"));
    bus.advance(60s);
    INFO("n = " << n);
    CHECK(starts == n + 2);
    CHECK(bus.handled("reader") == 1);
  }
}

TEST_CASE("a temporary handler's subscription ends with it, and what it was owed is counted") {
  testing::bus bus;
  subscription_options options;
  options.restart = restart_kind::temporary;
  REQUIRE(bus.subscribe<LessonPublished>(
      "once", [](auto) { throw std::runtime_error("the end"); }, options));
  bus.hold(true);
  REQUIRE(publish_lesson(bus, "a"));
  REQUIRE(publish_lesson(bus, "b"));
  bus.hold(false);
  CHECK(state_of(bus, "once") == "not there");
  CHECK(bus.ledger().total().dropped_for(drop_reason::unsubscribed) == 2);
  check_books(bus);
}
