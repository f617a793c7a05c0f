// Full queues, and who is told what.

#include "kinds.capnp.h"
#include "tests/support/lessons.hpp"

using namespace edupulse;
using namespace edupulse::test;

namespace {
subscription_options small(overload_policy policy) {
  subscription_options options;
  options.backlog_events = 16;
  options.overload = policy;
  return options;
}
} // namespace

TEST_CASE(
    "G12: a full backlog is back_pressure that names the subscription, and other topics go on") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>(
      "slow", [](auto) {}, small(overload_policy::wait)));
  REQUIRE(bus.subscribe<StudentEnrolled>("other", [](auto) {}));
  bus.hold(true);
  for (int i = 0; i < 16; ++i)
    REQUIRE(publish_lesson(bus, "a"));
  bus.run(); // routed, and not handled
  const auto refused = publish_lesson(bus, "a");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::back_pressure);
  CHECK(refused.error().text.find("slow") != std::string::npos);
  CHECK(bus.publish<StudentEnrolled>([](auto) {}));
  bus.hold(false);
  CHECK(publish_lesson(bus, "a"));
  CHECK(bus.handled("slow") == 17);
  check_books(bus);
}

TEST_CASE(
    "G12: a subscription that stands still is left behind, alone, and is told what it missed") {
  testing::bus bus;
  std::uint64_t gap = 0;
  journal seen;
  REQUIRE(bus.subscribe<LessonPublished>(
      "stopped",
      [&](LessonPublished::Reader lesson, const event_info& info) {
        gap += info.gap();
        seen.note(text_of(lesson));
      },
      small(overload_policy::wait)));
  REQUIRE(bus.pause("stopped"));
  REQUIRE(bus.subscribe<LessonPublished>("fast", [](auto) {}));
  for (int i = 0; i < 16; ++i)
    REQUIRE(publish_lesson(bus, "a", std::to_string(i)));
  CHECK_FALSE(publish_lesson(bus, "a")); // its publishers wait while it may be making progress
  bus.advance(3s);                       // it makes none
  for (int i = 0; i < 10; ++i)
    REQUIRE(publish_lesson(bus, "a", "missed"));
  CHECK(bus.handled("fast") == 26);
  CHECK(bus.ledger().of_subscription("stopped").dropped_for(drop_reason::shed_stalled) == 10);
  check_books(bus);
  REQUIRE(bus.resume("stopped"));
  bus.advance(1s);
  REQUIRE(publish_lesson(bus, "a", "after"));
  CHECK(seen.size() == 17);
  CHECK(gap == 10);
  check_books(bus);
}

TEST_CASE("G13: with overload = strict a stopped subscription holds its publishers for as long as "
          "it lasts") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>(
      "stopped", [](auto) {}, small(overload_policy::strict)));
  REQUIRE(bus.pause("stopped"));
  for (int i = 0; i < 16; ++i)
    REQUIRE(publish_lesson(bus, "a"));
  bus.advance(1h);
  CHECK_FALSE(publish_lesson(bus, "a"));
  REQUIRE(bus.resume("stopped"));
  CHECK(publish_lesson(bus, "a"));
  CHECK(bus.ledger().total().dropped_in_all() == 0);
}

TEST_CASE("G13: drop_newest and drop_oldest never hold a publisher, and count what they drop") {
  for (const auto policy : {overload_policy::drop_newest, overload_policy::drop_oldest}) {
    testing::bus bus;
    journal seen;
    REQUIRE(bus.subscribe<LessonPublished>("full", note_in(seen), small(policy)));
    REQUIRE(bus.pause("full"));
    for (int i = 0; i < 20; ++i)
      REQUIRE(publish_lesson(bus, "a", std::to_string(i)));
    check_books(bus);
    REQUIRE(bus.resume("full"));
    bus.run();
    const auto titles = seen.of("a");
    REQUIRE(titles.size() == 16);
    const bool newest = policy == overload_policy::drop_newest;
    CHECK(titles.front() == (newest ? "0" : "4"));
    CHECK(titles.back() == (newest ? "15" : "19"));
    CHECK(bus.ledger().total().dropped_for(newest ? drop_reason::drop_newest
                                                  : drop_reason::drop_oldest) == 4);
    check_books(bus);
  }
}

TEST_CASE("G13: latest_per_key keeps the newest event of each key, and counts what it supersedes") {
  testing::bus bus;
  journal seen;
  REQUIRE(bus.subscribe<LessonPublished>("full", note_in(seen),
                                         small(overload_policy::latest_per_key)));
  REQUIRE(bus.pause("full"));
  for (int i = 0; i < 200; ++i)
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i % 5), std::to_string(i)));
  check_books(bus);
  REQUIRE(bus.resume("full"));
  bus.run();
  for (int key = 0; key < 5; ++key) {
    const auto titles = seen.of("k" + std::to_string(key));
    REQUIRE_FALSE(titles.empty());
    CHECK(titles.back() == std::to_string(195 + key));
    CHECK(std::is_sorted(titles.begin(), titles.end(),
                         [](const auto& a, const auto& b) { return std::stoi(a) < std::stoi(b); }));
  }
  const auto total = bus.ledger().total();
  CHECK(seen.size() <= 16);
  CHECK(total.dropped_for(drop_reason::superseded) == 200 - seen.size());
  CHECK(total.dropped_in_all() == total.dropped_for(drop_reason::superseded));
  check_books(bus);
}

TEST_CASE(
    "G13: however full it is, with latest_per_key the newest event of a key is never dropped") {
  for (int published = 16; published < 48; ++published) {
    testing::bus bus;
    journal seen;
    REQUIRE(bus.subscribe<LessonPublished>("full", note_in(seen),
                                           small(overload_policy::latest_per_key)));
    REQUIRE(bus.pause("full"));
    for (int i = 0; i < published; ++i)
      REQUIRE(publish_lesson(bus, "k" + std::to_string(i % 5), std::to_string(i)));
    REQUIRE(bus.resume("full"));
    bus.run();
    INFO(published << " events");
    for (int i = published - 5; i < published; ++i)
      CHECK(seen.of("k" + std::to_string(i % 5)).back() == std::to_string(i));
  }
}

TEST_CASE("G13: with latest_per_key and keys that never come again the oldest make room") {
  testing::bus bus;
  journal seen;
  REQUIRE(bus.subscribe<LessonPublished>("full", note_in(seen),
                                         small(overload_policy::latest_per_key)));
  REQUIRE(bus.pause("full"));
  for (int i = 0; i < 50; ++i)
    REQUIRE(publish_lesson(bus, i % 2 ? "k" + std::to_string(i) : "", std::to_string(i)));
  REQUIRE(bus.resume("full"));
  bus.run();
  CHECK(seen.size() <= 16);
  CHECK(seen.size() >= 14);
  CHECK(seen.all().back() == "k49:49");
  CHECK(bus.ledger().total().dropped_for(drop_reason::drop_oldest) == 50 - seen.size());
  check_books(bus);
}

TEST_CASE(
    "G29: an event has the level of its schema unless a publish says another, also when a handler "
    "publishes it") {
  using namespace kinds::inner;
  testing::bus bus;
  std::vector<delivery_level> seen;
  REQUIRE(bus.subscribe("kinds.*", "watch",
                        [&](const envelope& event) { seen.push_back(event.level()); }));
  publish_options says;
  const auto publish = [&] { REQUIRE(bus.publish<Measured>([](auto) {}, says)); };
  publish();
  says.expires_in = 1h;
  publish();
  says.level = delivery_level::acknowledged;
  publish();
  says = {};
  says.level = delivery_level::best_effort;
  REQUIRE(bus.publish<Counted>([](auto) {}, says));
  REQUIRE(bus.publish<Counted>([](auto) {}));
  using enum delivery_level;
  CHECK(seen == std::vector{best_effort, best_effort, acknowledged, best_effort, acknowledged});
  seen.clear();
  REQUIRE(bus.subscribe<LessonPublished>("measure", [](auto, context& ctx) {
    REQUIRE(ctx.publish<Measured>([](auto) {}));
    REQUIRE(ctx.publish<Counted>([](auto) {}));
  }));
  REQUIRE(publish_lesson(bus, "a"));
  CHECK(seen == std::vector{best_effort, acknowledged});
}

TEST_CASE("G29: an event whose schema says best effort does not wait for a full subscription") {
  using namespace kinds::inner;
  testing::bus bus;
  REQUIRE(bus.subscribe<Measured>(
      "full", [](auto) {}, small(overload_policy::wait)));
  REQUIRE(bus.pause("full"));
  for (int i = 0; i < 20; ++i)
    REQUIRE(bus.publish<Measured>([](auto) {}));
  CHECK(bus.ledger().total().dropped_for(drop_reason::best_effort_full) == 4);
  check_books(bus);
}

TEST_CASE("best_effort never waits: what does not fit is dropped and counted") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>(
      "full", [](auto) {}, small(overload_policy::wait)));
  REQUIRE(bus.pause("full"));
  publish_options best;
  best.level = delivery_level::best_effort;
  for (int i = 0; i < 20; ++i)
    REQUIRE(publish_lesson(bus, "a", "t", best));
  CHECK(bus.ledger().total().dropped_for(drop_reason::best_effort_full) == 4);
  check_books(bus);
}

TEST_CASE("a backlog is bounded in bytes as well as in events") {
  testing::bus bus;
  subscription_options options;
  options.backlog_bytes = 64 << 10;
  REQUIRE(bus.subscribe<LessonPublished>(
      "full", [](auto) {}, options));
  REQUIRE(bus.pause("full"));
  const std::string large(10'000, 'x');
  int accepted = 0;
  while (accepted < 100 && publish_lesson(bus, "a", large))
    ++accepted;
  CHECK(accepted > 3);
  CHECK(accepted < 10);
}

TEST_CASE(
    "an event of the limit is accepted, one byte more is too_large, and nothing at all is fine") {
  testing::bus bus({.max_event_bytes = 4096});
  REQUIRE(bus.subscribe<LessonPublished>("reader", [](auto) {}));
  CHECK(bus.publish<LessonPublished>([](auto) {})); // a payload with nothing set
  std::size_t low = 0, high = 4096;                 // the longest title that fits
  while (low < high) {
    const auto middle = (low + high + 1) / 2;
    if (publish_lesson(bus, "", std::string(middle, 'x')))
      low = middle;
    else
      high = middle - 1;
  }
  CHECK(low > 3800);
  const auto over = publish_lesson(bus, "", std::string(low + 8, 'x'));
  REQUIRE_FALSE(over);
  CHECK(over.error().code == errc::too_large);
  CHECK(over.error().text.find("4096") != std::string::npos);
  check_books(bus);
}

TEST_CASE("ten thousand subscriptions get one event each") {
  testing::bus bus;
  int calls = 0;
  for (int i = 0; i < 10'000; ++i)
    REQUIRE(bus.subscribe<LessonPublished>("s" + std::to_string(i), [&](auto) { ++calls; }));
  const auto receipt = publish_lesson(bus, "a", "1", {.track = true});
  CHECK(calls == 10'000);
  CHECK(receipt->status()->handled == 10'000);
}
