// What a handler may say, and what comes of it.

#include "tests/support/lessons.hpp"

using namespace edupulse;
using namespace edupulse::test;

TEST_CASE("G1: publishing without a subscriber is no error, and the receipt says so") {
  testing::bus bus;
  const auto receipt = publish_lesson(bus, "a", "1", {.track = true});
  REQUIRE(receipt);
  REQUIRE(receipt->status());
  CHECK(receipt->status()->no_subscriber());
  CHECK(receipt->status()->complete());
  REQUIRE(bus.ledger().topics.size() == 1);
  CHECK(bus.ledger().topics.front().no_subscriber == 1);
}

TEST_CASE("a receipt that was not asked for says how to ask for one") {
  testing::bus bus;
  const auto receipt = publish_lesson(bus, "a");
  REQUIRE(receipt);
  REQUIRE_FALSE(receipt->status());
  CHECK(receipt->status().error().code == errc::not_tracked);
  CHECK(receipt->status().error().text.find("track") != std::string::npos);
}

TEST_CASE("G1: a receipt counts how each subscription ended") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("good", [](auto) {}));
  REQUIRE(bus.subscribe<LessonPublished>("bad", [](auto) { return outcome::reject("no"); }));
  const auto receipt = publish_lesson(bus, "a", "1", {.track = true});
  REQUIRE(receipt);
  const auto status = receipt->status();
  REQUIRE(status);
  CHECK(status->owed == 2);
  CHECK(status->handled == 1);
  CHECK(status->dead == 1);
  CHECK(status->complete());
}

TEST_CASE("G6: a throw costs the event that was handled and no other of its batch") {
  testing::bus bus;
  journal seen;
  int crashes = 1;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](LessonPublished::Reader lesson) {
    if (text_of(lesson) == "k100:x" && crashes-- > 0)
      throw std::runtime_error("in the middle");
    seen.note(text_of(lesson));
  }));
  bus.hold(true);
  for (int i = 0; i < 256; ++i)
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i), "x"));
  bus.hold(false);
  CHECK(seen.size() == 255); // each exactly once, in one stroke
  bus.advance(1s);
  auto all = seen.all();
  std::sort(all.begin(), all.end());
  CHECK(all.size() == 256);
  CHECK(std::unique(all.begin(), all.end()) == all.end());
  CHECK(bus.ledger().total().crashes == 1);
  check_books(bus);
}

TEST_CASE("G6: whatever is thrown is a crash that names its type: std::exception, int, bad_alloc") {
  testing::bus bus;
  int call = 0;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto) {
    switch (call++) {
    case 0:
      throw std::runtime_error("text of it");
    case 1:
      throw 42;
    case 2:
      throw std::bad_alloc();
    default:
      break;
    }
  }));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(20s);
  CHECK(bus.handled("reader") == 1);
  CHECK(bus.ledger().total().crashes == 3);
}

TEST_CASE("G7: a poison event becomes a dead letter after five crashes, with its whole story") {
  testing::bus bus;
  journal seen;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](LessonPublished::Reader lesson) {
    if (lesson.getTitle() == "poison")
      throw std::logic_error("cannot be");
    seen.note(text_of(lesson));
  }));
  REQUIRE(publish_lesson(bus, "a", "poison"));
  REQUIRE(publish_lesson(bus, "a", "next of its key"));
  REQUIRE(publish_lesson(bus, "b", "another key"));
  CHECK(seen.of("b").size() == 1);
  bus.advance(60s);
  const auto letter = bus.expect_dead_letter("reader", "cannot be");
  REQUIRE(letter);
  CHECK(letter->attempts.size() == 5);
  CHECK(letter->attempts.front().error_type == "std::logic_error");
  CHECK(letter->attempts.front().wall_ms < letter->attempts.back().wall_ms);
  CHECK(letter->subscription == "reader");
  CHECK(letter->node == "test");
  REQUIRE(letter->event);
  CHECK(from_event<LessonPublished>(letter->event).value()->getTitle() == "poison");
  CHECK(seen.of("a").size() == 1);                       // after the dead letter the key goes on
  CHECK(bus.subscriptions().front().state == "running"); // one poison event quarantines nothing
  check_books(bus);
}

TEST_CASE("G7: an event that is answered with retry is given up after thirty seconds of trying") {
  testing::bus bus;
  int tries = 0;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto) {
    ++tries;
    return outcome::retry("try later");
  }));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(29s);
  CHECK(bus.dead_letters().empty());
  bus.advance(2s);
  REQUIRE(bus.dead_letters().size() == 1);
  CHECK(tries > 6);
  CHECK(bus.dead_letters().front().attempts.size() <= 10);
  check_books(bus);
}

TEST_CASE("G7: `retry after` is no sooner than it says") {
  testing::bus bus;
  int tries = 0;
  REQUIRE(bus.subscribe<LessonPublished>(
      "reader", [&](auto) { return ++tries == 1 ? outcome::retry("later", 7s) : outcome::ok(); }));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(6999ms);
  CHECK(tries == 1);
  bus.advance(1ms);
  CHECK(tries == 2);
}

TEST_CASE("G7: events that fail together are tried again one by one, all within the back-off") {
  testing::bus bus;
  constexpr int events = 256;
  subscription_options options;
  options.retry.first = 1s;
  int tries = 0;
  auto fails_once = [&](auto) { return ++tries <= events ? outcome::retry("no") : outcome::ok(); };
  REQUIRE(bus.subscribe<LessonPublished>("reader", fails_once, options));
  bus.hold(true);
  for (int i = 0; i < events; ++i)
    REQUIRE(publish_lesson(bus, ""));
  bus.hold(false);
  REQUIRE(tries == events);
  // Even in a second: a quarter of them in each quarter, 64 give or take four deviations.
  for (int quarter = 1; quarter <= 4; ++quarter) {
    const int before = tries;
    bus.advance(250ms);
    CHECK(tries - before > 36);
    CHECK(tries - before < 92);
  }
  CHECK(bus.handled("reader") == events);
}

TEST_CASE("G8: reject is a dead letter at once") {
  testing::bus bus;
  REQUIRE(
      bus.subscribe<LessonPublished>("reader", [](auto) { return outcome::reject("too old"); }));
  REQUIRE(publish_lesson(bus, "a"));
  const auto letter = bus.expect_dead_letter("reader", "too old");
  REQUIRE(letter);
  CHECK(letter->attempts.size() == 1);
  check_books(bus);
}

TEST_CASE("G9: unavailable pauses the subscription and charges no event with it") {
  testing::bus bus;
  bool up = false;
  int calls = 0;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto) {
    ++calls;
    return up ? outcome::ok() : outcome::unavailable("database is down");
  }));
  bus.hold(true);
  for (int i = 0; i < 100; ++i)
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i)));
  bus.hold(false);
  CHECK(calls == 1); // the rest of the batch was not tried
  CHECK(bus.subscriptions().front().state == "unavailable");
  CHECK(bus.subscriptions().front().why == "database is down");
  bus.advance(10min); // far longer than any event's time for retries
  CHECK(bus.dead_letters().empty());
  CHECK(calls < 200);
  up = true;
  bus.advance(6s);
  CHECK(bus.handled("reader") == 100);
  CHECK(bus.subscriptions().front().state == "running");
  CHECK(bus.subscriptions().front().why.empty());
  CHECK(bus.ledger().total().retries == 0);
  check_books(bus);
}

TEST_CASE("G9: an outage takes nothing of the time of an event that was being tried again") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [](auto) {}));
  bus.answer_next("reader", 1, outcome::retry("not yet"));
  bus.answer_next("reader", 30, outcome::unavailable("down")); // longer than an event is tried
  bus.answer_next("reader", 1, outcome::retry("not yet"));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(60s);
  REQUIRE(bus.subscriptions().front().state == "unavailable");
  bus.advance(5min);
  CHECK(bus.dead_letters().empty());
  CHECK(bus.handled("reader") == 1);
  CHECK(bus.ledger().total().retries == 2);
}

TEST_CASE("G10: a deferred event is concluded by its token, from anywhere") {
  testing::bus bus;
  std::vector<deferral> open;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto, context& ctx) {
    open.push_back(ctx.defer());
    return outcome::deferred();
  }));
  const auto receipt = publish_lesson(bus, "a", "1", {.track = true});
  CHECK_FALSE(receipt->status()->complete());
  CHECK(open.front().event().key() == "a"); // the token keeps the envelope
  open.front().complete(outcome::ok());
  bus.run();
  CHECK(receipt->status()->handled == 1);
  check_books(bus);
}

TEST_CASE("G10: a deferral that is dropped is retried") {
  testing::bus bus;
  int calls = 0;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto, context& ctx) {
    if (++calls > 1)
      return outcome::ok();
    ctx.defer(); // and forgotten
    return outcome::deferred();
  }));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(1s);
  CHECK(calls == 2);
  CHECK(bus.handled("reader") == 1);
  check_books(bus);
}

TEST_CASE("G10: a deferral past its time limit is tried again, and a late answer still counts") {
  testing::bus bus;
  std::vector<deferral> open;
  subscription_options options;
  options.time_limit = 1s;
  options.retry.first = 10s;
  options.retry.cap = 10s;
  REQUIRE(bus.subscribe<LessonPublished>(
      "reader",
      [&](auto, context& ctx) {
        open.push_back(ctx.defer());
        return outcome::deferred();
      },
      options));
  REQUIRE(publish_lesson(bus, "a"));
  bus.advance(1200ms); // the attempt is over; the next waits up to ten seconds
  REQUIRE(bus.ledger().total().crashes == 1);
  open.front().complete(outcome::ok());
  bus.run();
  CHECK(bus.handled("reader") + open.size() >= 2); // handled, unless the retry was there first
  check_books(bus);
}

TEST_CASE("an event that expires before a handler begins it is counted as expired") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [](auto) {}));
  REQUIRE(bus.pause("reader"));
  const auto receipt = publish_lesson(bus, "a", "1", {.expires_in = 1s, .track = true});
  bus.advance(2s);
  REQUIRE(bus.resume("reader"));
  CHECK(bus.ledger().total().expired == 1);
  CHECK(receipt->status()->expired == 1);
  check_books(bus);
}

TEST_CASE("G15: what a handler publishes leaves when it succeeds, and carries where it came from") {
  testing::bus bus;
  int calls = 0;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto lesson, context& ctx) {
    auto sent = ctx.publish<StudentEnrolled>(
        [&](auto student) { student.setLessonId(lesson.getLessonId()); });
    CHECK(sent);
    return ++calls == 1 ? outcome::retry("not yet") : outcome::ok();
  }));
  publish_options options;
  options.meta = {{"tenant", "north"},
                  {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}};
  const auto receipt = publish_lesson(bus, "a", "1", options);
  CHECK(bus.published_by_handlers().empty()); // the first try did not succeed
  bus.advance(1s);
  REQUIRE(bus.published_by_handlers().size() == 1);
  const auto& event = *bus.published_by_handlers().front();
  CHECK(event.meta("causation-id") == to_string(receipt->id()));
  CHECK(event.meta("correlation-id") == to_string(receipt->id()));
  CHECK(event.meta("tenant") == "north");
  CHECK(event.meta("traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c"));
  CHECK(bus.expect_published<StudentEnrolled>());
}

TEST_CASE("G15: what a failed call has published does not leave with the next call of its batch") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto lesson, context& ctx) {
    CHECK(ctx.publish<StudentEnrolled>([](auto) {}));
    return lesson.getTitle() == "bad" ? outcome::reject("no") : outcome::ok();
  }));
  bus.hold(true);
  REQUIRE(publish_lesson(bus, "a", "bad"));
  const auto good = publish_lesson(bus, "b", "good");
  bus.hold(false);
  REQUIRE(bus.published_by_handlers().size() == 1);
  CHECK(bus.published_by_handlers().front()->meta("causation-id") == to_string(good->id()));
}

TEST_CASE("G15: a handler that publishes more than one call may is told back_pressure") {
  testing::bus bus;
  std::size_t accepted = 0;
  errc said{};
  REQUIRE(bus.subscribe<LessonPublished>("reader", [&](auto, context& ctx) {
    for (int i = 0; i < 5000; ++i) {
      auto sent = ctx.publish<StudentEnrolled>([](auto) {});
      if (sent)
        ++accepted;
      else
        said = sent.error().code;
    }
  }));
  REQUIRE(publish_lesson(bus, "a"));
  CHECK(accepted == 1024);
  CHECK(said == errc::back_pressure);
}

TEST_CASE("a handler of any type gets the envelope, and a wrong type is refused by name") {
  testing::bus bus;
  std::string topic;
  std::string refusal;
  REQUIRE(bus.subscribe("lesson.>", "any", [&](const envelope& event, const event_info& info) {
    topic = event.topic();
    CHECK(info.attempt() == 1);
    payload_reader reader(event);
    auto wrong = open<StudentEnrolled>(event, reader);
    REQUIRE_FALSE(wrong);
    refusal = wrong.error().text;
  }));
  publish_options options;
  options.subject = "eu.math";
  REQUIRE(publish_lesson(bus, "a", "1", options));
  CHECK(topic == "lesson.published.eu.math");
  CHECK(refusal.find("lesson.published") != std::string::npos);
  CHECK(refusal.find("student.enrolled") != std::string::npos);
}

TEST_CASE(
    "G16: redriving tries a letter again in the subscription that gave it up, and only there") {
  testing::bus bus;
  bool broken = true;
  int other = 0;
  REQUIRE(bus.subscribe<LessonPublished>(
      "broken", [&](auto) { return broken ? outcome::reject("bug") : outcome::ok(); }));
  REQUIRE(bus.subscribe<LessonPublished>("other", [&](auto) { ++other; }));
  REQUIRE(publish_lesson(bus, "a"));
  const auto letter = bus.expect_dead_letter("broken");
  REQUIRE(letter);
  REQUIRE(bus.redrive(letter->id)); // still broken: it comes back, as the same letter
  REQUIRE(bus.dead_letters().size() == 1);
  CHECK(bus.dead_letters().front().id == letter->id);
  CHECK(bus.dead_letters().front().redrives == 1);
  broken = false;
  REQUIRE(bus.redrive(letter->id));
  CHECK(bus.dead_letters().empty());
  CHECK(bus.handled("broken") == 1);
  CHECK(other == 1);
  check_books(bus);
}

TEST_CASE("G1, G16: a redriven letter is in its event's receipt as it was: dead, and once") {
  testing::bus bus;
  bool broken = true;
  REQUIRE(bus.subscribe<LessonPublished>(
      "broken", [&](auto) { return broken ? outcome::reject("bug") : outcome::ok(); }));
  const auto given = publish_lesson(bus, "a", "title", {.track = true}).value();
  REQUIRE(bus.redrive(bus.expect_dead_letter("broken")->id)); // still broken
  CHECK(given.status()->concluded() == 1);
  broken = false;
  REQUIRE(bus.redrive(bus.expect_dead_letter("broken")->id));
  CHECK(bus.handled("broken") == 1);
  CHECK(given.status()->dead == 1);
  CHECK(given.status()->concluded() == 1);
  CHECK(given.status()->by.size() == 1);
}

TEST_CASE("G1, G16: nor is it counted again when its subscription ends while it is tried") {
  testing::bus bus;
  bool broken = false;
  REQUIRE(bus.subscribe<LessonPublished>(
      "broken", [&](auto) { return broken ? outcome::retry("later") : outcome::reject("bug"); }));
  const auto given = publish_lesson(bus, "a", "title", {.track = true}).value();
  broken = true;
  REQUIRE(bus.redrive(bus.expect_dead_letter("broken")->id));
  REQUIRE(bus.unsubscribe("broken"));
  CHECK(given.status()->dead == 1);
  CHECK(given.status()->concluded() == 1);
}

TEST_CASE("G16: a discarded letter is counted, and with pause_key its key goes on") {
  testing::bus bus;
  journal seen;
  subscription_options options;
  options.dead = after_dead_letter::pause_key;
  REQUIRE(bus.subscribe<LessonPublished>(
      "reader",
      [&](LessonPublished::Reader lesson) {
        if (lesson.getTitle() == "bad")
          return outcome::reject("bad");
        seen.note(text_of(lesson));
        return outcome::ok();
      },
      options));
  for (const char* title : {"bad", "2", "3"})
    REQUIRE(publish_lesson(bus, "a", title));
  REQUIRE(publish_lesson(bus, "b", "1"));
  CHECK(seen.of("a").empty()); // the key waits behind its dead letter
  CHECK(seen.of("b").size() == 1);
  check_books(bus);
  REQUIRE(bus.discard(bus.dead_letters().front().id));
  CHECK(seen.of("a") == std::vector<std::string>{"2", "3"});
  CHECK(bus.ledger().total().dropped_for(drop_reason::discarded) == 1);
  check_books(bus);
}

TEST_CASE("G16: with pause_key a redriven letter is the first of its key") {
  testing::bus bus;
  journal seen;
  bool broken = true;
  subscription_options options;
  options.dead = after_dead_letter::pause_key;
  REQUIRE(bus.subscribe<LessonPublished>(
      "reader",
      [&](LessonPublished::Reader lesson) {
        if (broken && lesson.getTitle() == "1")
          return outcome::reject("bug");
        seen.note(text_of(lesson));
        return outcome::ok();
      },
      options));
  for (const char* title : {"1", "2", "3"})
    REQUIRE(publish_lesson(bus, "a", title));
  broken = false;
  REQUIRE(bus.redrive(bus.dead_letters().front().id));
  CHECK(seen.of("a") == std::vector<std::string>{"1", "2", "3"});
  check_books(bus);
}
