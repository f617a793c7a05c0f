// The examples of docs/testing.md. The page shows them letter for letter (tools/check_readme.py
// compares), and this runs them: change both.

#include "tests/support/catch.hpp"

#include "lesson.capnp.h"
#include <edupulse/testing.hpp>
#include <map>
#include <set>

using namespace edupulse;
using namespace std::chrono_literals;

namespace {

expected<receipt> publish_lesson(testing::bus& to, const std::string& id,
                                 const std::string& title) {
  return to.publish<LessonPublished>([&](LessonPublished::Builder lesson) {
    lesson.setLessonId(id); // the schema says that this is the key
    lesson.setTitle(title);
  });
}

} // namespace

TEST_CASE("a published lesson can be found") {
  testing::bus bus;
  std::map<std::string, std::string> index; // titles by lesson
  REQUIRE(bus.subscribe<LessonPublished>("indexer", [&](LessonPublished::Reader lesson) {
    index[lesson.getLessonId()] = lesson.getTitle();
  }));

  REQUIRE(publish_lesson(bus, "42", "Photosynthesis"));

  CHECK(index["42"] == "Photosynthesis"); // it was handled before publish returned
  CHECK(bus.handled("indexer") == 1);
  CHECK(bus.ledger().balances());
}

TEST_CASE("a lesson is indexed although the first three tries fail") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("indexer", [](LessonPublished::Reader) {}));
  bus.fail_next("indexer", 3); // these calls throw instead of running

  REQUIRE(publish_lesson(bus, "42", "Photosynthesis"));
  CHECK(bus.handled("indexer") == 0); // the next try comes after a pause

  bus.advance(5s); // takes no time; all that becomes due happens in here
  CHECK(bus.handled("indexer") == 1);
  CHECK(bus.ledger().total().crashes == 3);
}

TEST_CASE("whoever publishes a lesson takes part in it") {
  testing::bus bus;
  REQUIRE(
      bus.subscribe<LessonPublished>("enroller", [](LessonPublished::Reader lesson, context& ctx) {
        const auto sent = ctx.publish<StudentEnrolled>([&](StudentEnrolled::Builder student) {
          student.setLessonId(lesson.getLessonId());
          student.setStudentId("the teacher");
        });
        return sent ? outcome::ok() : outcome::retry(sent.error().text);
      }));

  REQUIRE(publish_lesson(bus, "42", "Photosynthesis"));

  const auto enrolled = bus.expect_published<StudentEnrolled>();
  REQUIRE(enrolled);
  CHECK((*enrolled)->getLessonId() == "42");
  CHECK_FALSE(bus.expect_published<StudentEnrolled>()); // one, and no more
}

TEST_CASE("a lesson without a title is given up on, and says why") {
  testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("indexer", [](LessonPublished::Reader lesson) {
    return lesson.hasTitle() ? outcome::ok() : outcome::reject("it has no title");
  }));

  REQUIRE(bus.publish<LessonPublished>([](LessonPublished::Builder lesson) {
    lesson.setLessonId("42"); // and no title
  }));

  const auto letter = bus.expect_dead_letter("indexer", "no title");
  REQUIRE(letter);
  CHECK(letter->event->key() == "42");
  CHECK(letter->attempts.size() == 1); // `reject` is not tried again
}

TEST_CASE("an index that does not answer within its time limit is asked again") {
  testing::bus bus;
  std::vector<deferral> asked; // each is answered by whoever completes it
  subscription_options options;
  options.time_limit = 2s;
  REQUIRE(bus.subscribe<LessonPublished>(
      "indexer",
      [&](LessonPublished::Reader, context& ctx) {
        asked.push_back(ctx.defer());
        return outcome::deferred();
      },
      options));

  REQUIRE(publish_lesson(bus, "42", "Photosynthesis"));
  bus.advance(3s); // nobody answers the first time
  REQUIRE(asked.size() == 2);

  asked[1].complete(outcome::ok());
  bus.run(); // answers from outside are taken in by `run` and `advance`
  CHECK(bus.handled("indexer") == 1);
}

TEST_CASE("a database that is down for an hour costs no event") {
  testing::bus bus;
  bool is_up = false;
  REQUIRE(bus.subscribe<LessonPublished>("indexer", [&](LessonPublished::Reader) {
    return is_up ? outcome::ok() : outcome::unavailable("the database is down");
  }));

  for (int i = 0; i < 100; ++i)
    REQUIRE(publish_lesson(bus, std::to_string(i), "Photosynthesis"));
  CHECK(bus.subscriptions().front().state == "unavailable"); // its breaker is open
  bus.advance(1h); // it is asked with one event every few seconds
  CHECK(bus.dead_letters().empty());

  is_up = true;
  bus.advance(10s);
  CHECK(bus.handled("indexer") == 100);
  CHECK(bus.subscriptions().front().state == "running");
}

namespace {

// Gathers what it is given, and sends it at the end of a batch.
class bulk_indexer {
public:
  explicit bulk_indexer(std::vector<std::size_t>& sent) : sent_(sent) {}
  void handle(LessonPublished::Reader) { ++gathered_; }
  void end_of_batch() { sent_.push_back(std::exchange(gathered_, 0)); }

private:
  std::vector<std::size_t>& sent_; // a number for each request
  std::size_t gathered_ = 0;
};

} // namespace

TEST_CASE("lessons that wait are sent in one request") {
  testing::bus bus;
  std::vector<std::size_t> sent;
  REQUIRE(bus.subscribe<LessonPublished>("indexer",
                                         [&] { return std::make_unique<bulk_indexer>(sent); }));

  bus.hold(true); // as if the handler were busy
  for (int i = 0; i < 20; ++i)
    REQUIRE(publish_lesson(bus, std::to_string(i), "Photosynthesis"));
  bus.hold(false);

  CHECK(sent == std::vector<std::size_t>{20});
}

namespace {

std::vector<envelope_ptr> three_lessons() {
  std::vector<envelope_ptr> all;
  event_id_source ids(1);
  for (const char* id : {"1", "2", "1"}) {
    envelope_header header;
    header.id = ids.next(1000);
    header.key = id;
    all.push_back(to_event<LessonPublished>(
                      [&](LessonPublished::Builder lesson) { lesson.setLessonId(id); }, header)
                      .value());
  }
  return all;
}

} // namespace

TEST_CASE("a count of lessons is not idempotent") {
  const auto fresh = [] { // a new handler with a new world, and what it did to that, as text
    auto count = std::make_shared<int>(0);
    auto handler = [count](LessonPublished::Reader) { ++*count; }; // the mistake
    return std::pair(make_recipe<LessonPublished>(handler),
                     testing::observe_effects([count] { return std::to_string(*count); }));
  };

  const auto good = testing::expect_idempotent(fresh, three_lessons());

  REQUIRE_FALSE(good);
  CHECK(good.error().text == "when event 1 of 3 (lesson.published, key \"1\") is delivered twice, "
                             "its effects are \"4\" instead of \"3\"");
}

TEST_CASE("a set of lessons is idempotent") {
  const auto fresh = [] {
    auto lessons = std::make_shared<std::set<std::string>>();
    auto handler = [lessons](LessonPublished::Reader lesson) {
      lessons->insert(lesson.getLessonId());
    };
    return std::pair(make_recipe<LessonPublished>(handler), testing::observe_effects([lessons] {
                       return std::to_string(lessons->size());
                     }));
  };

  CHECK(testing::expect_idempotent(fresh, three_lessons()));
}

TEST_CASE("what is noted as done before its event has left may lose the event") {
  const auto fresh = [] {
    auto done = std::make_shared<std::set<event_id>>(); // a table of the database
    auto handler = [done](LessonPublished::Reader lesson, context& ctx) {
      if (!done->insert(ctx.id()).second)
        return outcome::ok(); // the mistake: it was noted, and nothing was published
      const auto sent = ctx.publish<StudentEnrolled>(
          [&](StudentEnrolled::Builder student) { student.setLessonId(lesson.getLessonId()); });
      return sent ? outcome::ok() : outcome::retry(sent.error().text);
    };
    return std::pair(make_recipe<LessonPublished>(handler), testing::observe_effects());
  };

  const auto good = testing::expect_idempotent(fresh, three_lessons());

  REQUIRE_FALSE(good);
  CHECK(good.error().text.find("died right after publish 1 of its call") != std::string::npos);
  CHECK(good.error().text.find("does not publish student.enrolled") != std::string::npos);
}
