// What may overtake what.

#include "tests/support/lessons.hpp"
#include "tests/support/seed.hpp"
#include <random>
#include <set>

using namespace edupulse;
using namespace edupulse::test;

namespace {
using strings = std::vector<std::string>;
}

TEST_CASE("G3: events of one key are handled in publish order while one of them is retried") {
  testing::bus bus;
  journal seen;
  int failures = 2;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](LessonPublished::Reader lesson) {
    if (text_of(lesson) == "a:1" && failures-- > 0)
      return outcome::retry("not yet");
    seen.note(text_of(lesson));
    return outcome::ok();
  }));
  bus.hold(true);
  for (const char* title : {"1", "2", "3"})
    for (const char* id : {"a", "b"})
      REQUIRE(publish_lesson(bus, id, title));
  bus.hold(false);
  CHECK(seen.of("b") == strings{"1", "2", "3"}); // another key goes on meanwhile
  CHECK(seen.of("a").empty());
  bus.advance(10s);
  CHECK(seen.of("a") == strings{"1", "2", "3"});
  check_books(bus);
}

TEST_CASE("G4: an event without a key steps aside while it is retried, and others go on") {
  testing::bus bus;
  journal seen;
  bool failed = false;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](LessonPublished::Reader lesson) {
    if (text_of(lesson) == ":1" && !std::exchange(failed, true))
      return outcome::retry("not yet");
    seen.note(text_of(lesson));
    return outcome::ok();
  }));
  bus.hold(true);
  for (const char* title : {"1", "2", "3"})
    REQUIRE(publish_lesson(bus, "", title));
  bus.hold(false);
  CHECK(seen.all() == strings{":2", ":3"});
  bus.advance(1s);
  CHECK(seen.all() == strings{":2", ":3", ":1"});
}

TEST_CASE("G5: with order = strict nothing overtakes a retrying event") {
  testing::bus bus;
  journal seen;
  bool failed = false;
  subscription_options options;
  options.order = event_order::strict;
  REQUIRE(bus.subscribe<LessonPublished>(
      "reader",
      [&](LessonPublished::Reader lesson) {
        if (text_of(lesson) == "a:1" && !std::exchange(failed, true))
          return outcome::retry("not yet");
        seen.note(text_of(lesson));
        return outcome::ok();
      },
      options));
  bus.hold(true);
  REQUIRE(publish_lesson(bus, "a", "1"));
  REQUIRE(publish_lesson(bus, "b", "2"));
  REQUIRE(publish_lesson(bus, "", "3"));
  bus.hold(false);
  CHECK(seen.size() == 0);
  bus.advance(1s);
  CHECK(seen.all() == strings{"a:1", "b:2", ":3"});
}

TEST_CASE("order = strict with concurrency above 1 is refused, and the refusal names both") {
  testing::bus bus;
  subscription_options options;
  options.order = event_order::strict;
  options.concurrency = 2;
  const auto answer = bus.subscribe<LessonPublished>(
      "reader", [](auto) {}, options);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == errc::invalid_option);
  CHECK(answer.error().text.find("concurrency") != std::string::npos);
  CHECK(answer.error().text.find("strict") != std::string::npos);
}

TEST_CASE("G3: a later event of the key does not overtake one whose deferral was completed early") {
  testing::bus bus;
  journal seen;
  std::vector<deferral> open;
  REQUIRE(
      bus.subscribe<LessonPublished>("reader", [&](LessonPublished::Reader lesson, context& ctx) {
        seen.note(text_of(lesson));
        open.push_back(ctx.defer());
        if (lesson.getTitle() == "1")
          open.back().complete(outcome::ok()); // before the batch has reported
        return outcome::deferred();
      }));
  bus.hold(true);
  for (const char* title : {"1", "2", "3", "4"})
    REQUIRE(publish_lesson(bus, "a", title));
  bus.hold(false);
  for (int round = 0; round < 4; ++round) {
    for (auto& token : open)
      token.complete(outcome::ok());
    bus.run();
  }
  CHECK(seen.of("a") == strings{"1", "2", "3", "4"});
  CHECK(bus.handled("reader") == 4);
  check_books(bus);
}

TEST_CASE("G3: several handlers of one subscription keep every key in order") {
  testing::bus bus;
  journal seen;
  subscription_options options;
  options.concurrency = 4;
  std::map<std::string, int> failures{{"k3:5", 3}, {"k7:1", 1}};
  REQUIRE(bus.subscribe<LessonPublished>(
      "reader",
      [&](LessonPublished::Reader lesson) {
        if (auto at = failures.find(text_of(lesson)); at != failures.end() && at->second-- > 0)
          return outcome::retry("again");
        seen.note(text_of(lesson));
        return outcome::ok();
      },
      options));
  bus.hold(true);
  for (int title = 0; title < 10; ++title)
    for (int key = 0; key < 10; ++key)
      REQUIRE(publish_lesson(bus, "k" + std::to_string(key), std::to_string(title)));
  bus.hold(false);
  bus.advance(30s);
  const strings expected{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  for (int key = 0; key < 10; ++key)
    CHECK(seen.of("k" + std::to_string(key)) == expected);
}

// The property behind all of the above: whatever handlers answer, and whenever deferrals complete,
// the first success of each event of a key comes in publish order, and every event ends exactly
// once.
TEST_CASE("G3: order per key and exactly one end per event hold under random answers") {
  const auto seed = random_numbers().seed();
  const int repeats = rounds(40);
  for (int round = 0; round < repeats; ++round) {
    std::mt19937_64 chance(seed + static_cast<std::uint64_t>(round));
    INFO("EDUPULSE_SEED=" << seed << " round " << round);
    testing::bus bus({.seed = seed});
    std::map<std::string, std::vector<int>> ended; // by key: titles in the order they succeeded
    std::vector<std::pair<deferral, std::pair<std::string, int>>> open;
    subscription_options options;
    options.concurrency = 1 + static_cast<std::uint32_t>(chance() % 3);
    options.window = 1 + static_cast<std::uint32_t>(chance() % 64);
    options.retry.max_crashes = 1000;
    options.retry.give_up_after = 24h;
    auto succeed = [&](const std::string& key, int title) { ended[key].push_back(title); };
    REQUIRE(bus.subscribe<LessonPublished>(
        "reader",
        [&](LessonPublished::Reader lesson, context& ctx) {
          const std::string key = lesson.getLessonId().cStr();
          const int title = std::stoi(lesson.getTitle().cStr());
          switch (chance() % 12) {
          case 0:
            return outcome::retry("again", duration(chance() % 1'000'000));
          case 1:
            throw std::runtime_error("crash");
          case 2:
            return outcome::unavailable("down");
          case 3:
          case 4:
            open.emplace_back(ctx.defer(), std::pair(key, title));
            return outcome::deferred();
          default:
            succeed(key, title);
            return outcome::ok();
          }
        },
        options));
    const int events = 120;
    std::map<std::string, int> published;
    for (int i = 0; i < events; ++i) {
      bus.hold(chance() % 3 != 0);
      const auto key = "k" + std::to_string(chance() % 6);
      REQUIRE(publish_lesson(bus, key, std::to_string(published[key]++)));
      if (chance() % 4 == 0 && !open.empty()) {
        auto at = open.begin() + static_cast<std::ptrdiff_t>(chance() % open.size());
        auto [token, what] = std::move(*at);
        open.erase(at);
        if (chance() % 4 != 0) {
          succeed(what.first, what.second);
          token.complete(outcome::ok());
        } // else it is dropped, which is a retry
      }
      if (chance() % 10 == 0)
        bus.kill("reader");
      if (chance() % 5 == 0)
        bus.advance(duration(chance() % 300'000'000));
      bus.check();
    }
    bus.hold(false);
    for (int i = 0; i < 400 && bus.handled("reader") < events; ++i) {
      if (bus.subscriptions().front().state == "quarantined")
        REQUIRE(bus.resume("reader"));
      for (auto& [token, what] : std::exchange(open, {})) {
        succeed(what.first, what.second);
        token.complete(outcome::ok());
      }
      bus.advance(6s);
    }
    CHECK(bus.handled("reader") == events);
    for (const auto& [key, count] : published) {
      // At least once: repeats may be seen after a kill, and only of what came before.
      int highest = -1;
      for (const int title : ended[key]) {
        CHECK(title <= highest + 1);
        highest = std::max(highest, title);
      }
      CHECK(highest == count - 1);
    }
    check_books(bus);
  }
}
