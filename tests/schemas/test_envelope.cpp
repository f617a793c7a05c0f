#include "schemas/envelope.hpp"
#include "schemas/hash.hpp"
#include "tests/schemas/samples.hpp"
#include "tests/support/catch.hpp"
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace edupulse;
using test::sample_header;
using test::sample_lesson;

namespace {

struct counting_tracker final : tracker {
  int released = 0;
  static void release(tracker* what) { ++static_cast<counting_tracker*>(what)->released; }
};

} // namespace

TEST_CASE("envelope: what was given at publish is read back") {
  const std::pair<std::string_view, std::string_view> meta[] = {{"tenant", "school-1"},
                                                                {"correlation-id", "c-9"}};
  auto header = sample_header();
  header.subject = "eu.math";
  header.meta = meta;
  const auto what = sample_lesson(header);
  CHECK(what->id() == test::sample_event);
  CHECK(what->publisher() == test::sample_node);
  CHECK(what->occurred_at_ms() == test::sample_time);
  CHECK(what->topic() == "lesson.published.eu.math");
  CHECK(what->name() == "lesson.published");
  CHECK(what->subject() == "eu.math");
  CHECK(what->key() == "lesson-42");
  CHECK(what->schema_id() == capnp::typeId<LessonPublished>());
  CHECK(what->schema_version() == 1);
  CHECK(what->type() == &event_traits<LessonPublished>::type());
  CHECK(what->meta_count() == 2);
  CHECK(what->meta("tenant") == "school-1");
  CHECK(what->meta("correlation-id") == "c-9");
  CHECK(what->meta("tenan").empty());
  CHECK(what->meta_at(1).first == "correlation-id");
  CHECK(what->meta_at(1).second == "c-9");
}

TEST_CASE("envelope: without a subject the topic is the name") {
  const auto what = sample_lesson();
  CHECK(what->topic() == "lesson.published");
  CHECK(what->name() == "lesson.published");
  CHECK(what->subject().empty());
  CHECK(what->meta_count() == 0);
  CHECK(what->meta("tenant").empty());
}

TEST_CASE("envelope: hashes are of the texts, and only an event without a key has key hash 0") {
  const auto what = sample_lesson();
  CHECK(what->topic_hash() == text_hash("lesson.published"));
  CHECK(what->key_hash() == text_hash("lesson-42"));
  const auto keyless = to_event<LessonPublished>([](auto) {}, sample_header()).value();
  CHECK(keyless->key().empty());
  CHECK(keyless->key_hash() == 0);
}

TEST_CASE("envelope: hashes of texts of every length differ in every byte") {
  for (std::size_t size = 1; size <= 40; ++size) {
    std::set<std::uint64_t> seen{text_hash(std::string(size, 'a'))};
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = 'b';
      INFO(size << " bytes, another one at " << at);
      CHECK(seen.insert(text_hash(text)).second);
    }
  }
}

TEST_CASE("envelope: its footprint is the message and the object") {
  const auto what = sample_lesson();
  CHECK(what->footprint() == sizeof(envelope) + what->words().size_bytes());
}

TEST_CASE("envelope: it lives until the last of those that share it lets go") {
  counting_tracker tracker;
  auto first = sample_lesson();
  envelope_writer::set_travel(first, delivery_level::best_effort, time_point{} + duration{5},
                              &tracker, &counting_tracker::release);
  CHECK(first->level() == delivery_level::best_effort);
  CHECK(first->expires_at() == time_point{} + duration{5});
  CHECK(first->tracked_by() == &tracker);
  envelope_ptr second = first;
  envelope_ptr third = envelope_ptr::share(*first);
  envelope_ptr moved = std::move(first);
  CHECK_FALSE(first);
  second = {};
  third = moved;
  moved = {};
  CHECK(tracker.released == 0);
  CHECK(third->key() == "lesson-42");
  third = {};
  CHECK(tracker.released == 1);
}

TEST_CASE("envelope: it travels acknowledged and without expiry unless told otherwise") {
  const auto what = sample_lesson();
  CHECK(what->level() == delivery_level::acknowledged);
  CHECK(what->expires_at() == time_point::max());
  CHECK(what->tracked_by() == nullptr);
}

TEST_CASE("envelope: threads may share it without a lock") {
  counting_tracker tracker;
  auto what = sample_lesson();
  envelope_writer::set_travel(what, delivery_level::acknowledged, time_point::max(), &tracker,
                              &counting_tracker::release);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([mine = what] {
      for (int n = 0; n < 10'000; ++n) {
        const envelope_ptr copy = mine;
        if (copy->meta_count() != 0 || copy->key() != "lesson-42")
          std::abort();
      }
    });
  what = {};
  for (auto& thread : threads)
    thread.join();
  threads.clear();
  CHECK(tracker.released == 1);
}
