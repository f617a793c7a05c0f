#include "fts5_index.hpp"
#include "handlers.hpp"
#include "lesson.capnp.h"
#include "tests/examples/changes.hpp"
#include "tests/examples/other_writer.hpp"
#include "tests/support/scratch_dir.hpp"
#include <edupulse/testing.hpp>

using namespace edupulse;
using namespace edupulse::search;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

/// The indexer on a bus in virtual time, before an FTS5 index in a directory of its own.
struct indexing {
  explicit indexing(duration outage_limit = 1h, std::filesystem::path at = "index.sqlite") {
    file = dir / at.string();
    fts5_options options{.file = file};
    options.busy_timeout = std::chrono::milliseconds(0);
    desk = std::make_shared<index_desk>(std::make_unique<fts5_index>(options), outage_limit);
    REQUIRE(bus.subscribe("lesson.>", "search-indexer",
                          [d = desk] { return std::make_unique<indexer>(d); }));
  }

  void publish(const std::string& id, const std::string& title) {
    REQUIRE(bus.publish<LessonPublished>([&](auto lesson) {
      lesson.setLessonId(id);
      lesson.setTitle(title);
    }));
  }

  std::size_t found(const std::string& query) { return desk->index->find(query, 100)->size(); }

  scratch_dir dir;
  std::filesystem::path file;
  std::shared_ptr<index_desk> desk;
  testing::bus bus;
};

/// Notes how many changes came with each call.
class counting_index final : public search_index {
public:
  explicit counting_index(std::vector<std::size_t>& sizes) : sizes_(sizes) {}
  std::vector<outcome> apply(std::span<const change> batch) override {
    sizes_.push_back(batch.size());
    return for_all(batch.size(), outcome::ok());
  }
  expected<std::vector<hit>> find(std::string_view, std::size_t) override { return {}; }
  std::string describe() const override { return "a test"; }

private:
  std::vector<std::size_t>& sizes_;
};

} // namespace

TEST_CASE("indexer: the events of one batch are one request to the index") {
  std::vector<std::size_t> sizes;
  auto desk = std::make_shared<index_desk>(std::make_unique<counting_index>(sizes), 1h);
  testing::bus bus;
  REQUIRE(bus.subscribe("lesson.>", "search-indexer",
                        [desk] { return std::make_unique<indexer>(desk); }));
  bus.hold(true);
  for (int i = 0; i < 20; ++i)
    REQUIRE(bus.publish<LessonPublished>(
        [&](auto lesson) { lesson.setLessonId("lesson-" + std::to_string(i)); }));
  bus.hold(false);
  CHECK(sizes == std::vector<std::size_t>{20});
  CHECK(bus.handled("search-indexer") == 20);
}

TEST_CASE("indexer: published, updated and withdrawn lessons of one batch end as they should") {
  indexing at;
  at.bus.hold(true);
  at.publish("a", "Quantum Mechanics");
  at.publish("b", "Opera");
  REQUIRE(at.bus.publish<LessonUpdated>([](auto lesson) {
    lesson.setLessonId("a");
    lesson.setTitle("Classical Mechanics");
  }));
  REQUIRE(at.bus.publish<LessonWithdrawn>([](auto lesson) { lesson.setLessonId("b"); }));
  at.bus.hold(false);
  at.bus.run();
  at.bus.advance(1s);
  CHECK(at.found("quantum") == 0);
  CHECK(at.found("classical") == 1);
  CHECK(at.found("opera") == 0);
  CHECK(at.bus.handled("search-indexer") == 4);
  CHECK(at.bus.ledger().balances());
}

TEST_CASE("indexer: a locked index database is waited for, and nothing is lost") {
  indexing at;
  at.publish("first", "Tides"); // makes the file
  other_writer other(at.file);
  other.run("BEGIN IMMEDIATE");
  for (int i = 0; i < 50; ++i)
    at.publish("lesson-" + std::to_string(i), "Quantum Mechanics");
  at.bus.advance(20s);
  CHECK(at.bus.handled("search-indexer") == 1);
  CHECK(at.bus.subscriptions().front().state == "unavailable");
  CHECK(at.bus.dead_letters().empty());
  other.run("COMMIT");
  at.bus.advance(20s);
  CHECK(at.bus.handled("search-indexer") == 51);
  CHECK(at.found("quantum") == 50);
  CHECK(at.bus.ledger().balances());
}

TEST_CASE(
    "indexer: past the outage limit lessons become dead letters, and a redrive indexes them") {
  indexing at(0s, "missing/index.sqlite");
  at.publish("a", "Quantum Mechanics");
  at.publish("b", "Opera");
  at.bus.advance(60s);
  const auto letters = at.bus.dead_letters();
  REQUIRE(letters.size() == 2);
  CHECK(contains(letters[0].reason, "gave up on the index"));
  CHECK(contains(letters[0].reason, "unable to open database file"));
  CHECK(contains(letters[0].reason, "check that its directory exists"));
  CHECK(at.bus.ledger().balances());

  std::filesystem::create_directory(at.file.parent_path());
  for (const dead_letter& each : letters)
    REQUIRE(at.bus.redrive(each.id));
  at.bus.advance(1s);
  CHECK(at.bus.dead_letters().empty());
  CHECK(at.found("quantum") == 1);
  CHECK(at.found("opera") == 1);
  CHECK(at.bus.ledger().balances());
}

TEST_CASE(
    "indexer: a full disk or a read-only file: tried again, then dead letters, nothing lost") {
  indexing at(0s);
  at.publish("first", "Tides"); // makes the file
  for (const bool full : {true, false}) {
    fts5_options broken{.file = at.file};
    broken.max_pages = full ? 1 : 0;
    broken.read_only = !full;
    at.desk->index = std::make_unique<fts5_index>(broken);
    for (int i = 0; i < 20; ++i)
      at.publish("lesson-" + std::to_string(i), "Quantum " + std::string(10'000, 'x'));
    at.bus.advance(60s);
    const auto letters = at.bus.dead_letters();
    REQUIRE(letters.size() == 20);
    CHECK(
        contains(letters[0].reason, full ? "free some space" : "make the file and its directory"));
    CHECK(at.bus.ledger().balances());
    CHECK(at.found("tides") == 1);

    at.desk->index = std::make_unique<fts5_index>(fts5_options{.file = at.file});
    for (const dead_letter& each : letters)
      REQUIRE(at.bus.redrive(each.id));
    at.bus.advance(1s);
    CHECK(at.bus.dead_letters().empty());
    CHECK(at.found("quantum") == 20);
  }
}

TEST_CASE("indexer: events delivered twice, in another order, with crashes, index the same") {
  std::vector<envelope_ptr> events;
  event_id_source ids(7);
  for (int i = 0; i < 6; ++i) {
    const std::string id = "lesson-" + std::to_string(i % 4);
    envelope_header header;
    header.id = ids.next(1000 + i);
    events.push_back(to_event<LessonPublished>(
                         [&](auto lesson) {
                           lesson.setLessonId(id);
                           lesson.setTitle("Title " + std::to_string(i));
                         },
                         header)
                         .value());
  }
  std::vector<std::unique_ptr<scratch_dir>> dirs;
  const auto fresh = [&] {
    dirs.push_back(std::make_unique<scratch_dir>());
    auto desk = std::make_shared<index_desk>(
        std::make_unique<fts5_index>(fts5_options{.file = *dirs.back() / "i.sqlite"}), 1h);
    handler_recipe recipe = make_recipe<void>([desk] { return std::make_unique<indexer>(desk); });
    return std::pair(recipe, testing::observe_effects([desk] {
                       std::string all;
                       const auto hits = desk->index->find("title", 100);
                       for (const hit& each : *hits)
                         all += each.lesson_id + ":" + each.title + "\n";
                       return all;
                     }));
  };
  const auto same = testing::expect_idempotent(fresh, events);
  INFO((same ? "" : same.error().text));
  CHECK(same);
}

TEST_CASE("indexer: an event that is no lesson's is refused, and says what it is") {
  indexing at;
  REQUIRE(
      at.bus.subscribe(">", "all-indexer", [d = at.desk] { return std::make_unique<indexer>(d); }));
  REQUIRE(at.bus.publish<StudentEnrolled>([](auto event) { event.setStudentId("s"); }));
  at.bus.advance(1s);
  const auto letter = at.bus.expect_dead_letter("all-indexer", "student.enrolled");
  CHECK(letter);
}

TEST_CASE("outage: patience runs from the first failure, and begins anew after a success") {
  outage_patience patience(10s);
  const time_point start{1h};
  const auto down = [] { return outcome::unavailable("the disk is full"); };
  CHECK(patience.judge(down(), start).what() == outcome::kind::unavailable);
  CHECK(patience.judge(down(), start + 9s).what() == outcome::kind::unavailable);
  const auto given_up = patience.judge(down(), start + 10s);
  CHECK(given_up.what() == outcome::kind::reject);
  CHECK(given_up.reason() == "gave up on the index, which did not work for 10 s: the disk is full");
  CHECK(patience.judge(outcome::ok(), start + 11s).is_ok());
  CHECK(patience.judge(down(), start + 12s).what() == outcome::kind::unavailable);
}

TEST_CASE("auditor: it throws and refuses by the lesson's number, the same in every run") {
  const audit_rules rules{97, 251};
  CHECK(audit("lesson-0001", "t", 1, rules).is_ok());
  CHECK_THROWS_WITH(audit("lesson-0097", "t", 1, rules), Catch::Contains("one lesson in 97"));
  CHECK(audit("lesson-0097", "t", 2, rules).is_ok());
  CHECK(audit("lesson-0251", "Ethics", 1, rules).what() == outcome::kind::reject);
  CHECK(audit("lesson-0251", "Ethics", 1, {0, 0}).is_ok());
  CHECK(lesson_number("lesson-0097") == 97);
  CHECK(lesson_number("12") == 12);
  CHECK(lesson_number("algebra") == lesson_number("algebra"));
  CHECK(lesson_number("99999999999999999999999") != 0); // does not fit: hashed
}

TEST_CASE("notifier: it knows whose lessons make most noise") {
  notice_board board;
  CHECK(board.busiest().second == 0);
  for (const char* teacher : {"a", "b", "b", "c"})
    board.new_lesson(teacher);
  CHECK(board.busiest() == std::pair<std::string, std::size_t>("b", 2));
}
