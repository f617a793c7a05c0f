#include "schemas/envelope_writer.hpp"

#include "kinds.capnp.h"
#include "schemas/envelope.capnp.h"
#include "schemas/payload_arena.hpp"
#include "tests/schemas/samples.hpp"
#include "tests/support/catch.hpp"
#include <capnp/message.h>
#include <cstring>
#include <string>
#include <thread>

using namespace edupulse;
using test::sample_header;

namespace {

using meta_list = std::vector<std::pair<std::string_view, std::string_view>>;

/// The envelope as any other program reads it: by the schema alone.
struct generated_reader {
  kj::ArrayPtr<const capnp::word> segment;
  capnp::SegmentArrayMessageReader message;
  schema::Envelope::Reader root;

  explicit generated_reader(const envelope& what)
      : segment(what.words().data(), what.words().size()), message(kj::arrayPtr(&segment, 1)),
        root(message.getRoot<schema::Envelope>()) {}
};

std::string text(capnp::Text::Reader what) { return {what.begin(), what.size()}; }

envelope_ptr big_lesson(std::size_t body_bytes) {
  const std::string body(body_bytes, 'x');
  return to_event<LessonPublished>(
             [&](LessonPublished::Builder lesson) {
               lesson.setTitle("before");
               lesson.setBody({body.data(), body.size()});
               lesson.setLessonId("after");
             },
             sample_header(), hard_max_envelope_bytes)
      .value();
}

void check_big_lesson(const envelope& what, std::size_t body_bytes) {
  generated_reader reader(what);
  const auto lesson = reader.root.getPayload().getAs<LessonPublished>();
  CHECK(text(lesson.getTitle()) == "before");
  CHECK(lesson.getBody().size() == body_bytes);
  CHECK(text(lesson.getBody()).find_first_not_of('x') == std::string::npos);
  CHECK(text(lesson.getLessonId()) == "after");
  CHECK(what.key() == "after");
}

std::string fault(const envelope_header& header, errc code) {
  const auto what = to_event<LessonPublished>([](auto) {}, header);
  REQUIRE_FALSE(what);
  CHECK(what.error().code == code);
  return what.error().text;
}

} // namespace

TEST_CASE("envelope_writer: every field is where the schema says it is") {
  const meta_list meta = {{"tenant", "school-1"}, {"empty", ""}, {"a-longer-name", "12345678"}};
  auto header = sample_header();
  header.subject = "eu.math";
  header.meta = meta;
  const auto what = test::sample_lesson(header);
  generated_reader reader(*what);
  const auto& root = reader.root;
  CHECK(from_halves(root.getIdHigh(), root.getIdLow()) == test::sample_event.value);
  CHECK(from_halves(root.getPublisherHigh(), root.getPublisherLow()) == test::sample_node.value);
  CHECK(root.getOccurredAt() == test::sample_time);
  CHECK(root.getSchemaId() == capnp::typeId<LessonPublished>());
  CHECK(root.getSchemaVersion() == 1);
  CHECK(text(root.getName()) == "lesson.published");
  CHECK(text(root.getSubject()) == "eu.math");
  CHECK(text(root.getKey()) == "lesson-42");
  REQUIRE(root.getMetadata().size() == 3);
  for (unsigned i = 0; i < 3; ++i) {
    CHECK(text(root.getMetadata()[i].getName()) == meta[i].first);
    CHECK(text(root.getMetadata()[i].getValue()) == meta[i].second);
  }
  const auto lesson = root.getPayload().getAs<LessonPublished>();
  CHECK(text(lesson.getLessonId()) == "lesson-42");
  CHECK(text(lesson.getTeacherId()) == "teacher-7");
  CHECK(text(lesson.getTitle()) == "Quantum Mechanics 101");
  CHECK(text(lesson.getBody()) == "Nobody understands it.");
}

TEST_CASE("envelope_writer: texts of every length up to two words keep their zero at the end") {
  for (std::size_t size = 1; size <= 17; ++size) {
    const std::string value(size, 'v');
    const meta_list meta = {{value, value}};
    auto header = sample_header();
    header.subject = value;
    header.key = value;
    header.meta = meta;
    const auto what = test::sample_lesson(header);
    generated_reader reader(*what); // Cap'n Proto refuses a text without it
    INFO(size);
    CHECK(text(reader.root.getSubject()) == value);
    CHECK(text(reader.root.getKey()) == value);
    CHECK(text(reader.root.getMetadata()[0].getValue()) == value);
  }
}

TEST_CASE("envelope_writer: a payload nobody touched is null and reads as defaults") {
  envelope_writer writer(event_traits<LessonPublished>::type());
  const auto what = writer.finish(sample_header()).value();
  generated_reader reader(*what);
  CHECK(reader.root.getPayload().isNull());
  payload_reader payload(*what);
  CHECK(open<LessonPublished>(*what, payload).value().getTitle() == "");
}

TEST_CASE("envelope_writer: an event without fields has a payload all the same") {
  using kinds::inner::Empty;
  const auto make = [] { return to_event<Empty>([](auto) {}, sample_header()).value(); };
  const auto first = make();
  generated_reader reader(*first);
  CHECK(reader.root.getPayload().isStruct());
  payload_reader payload(*first);
  CHECK(open<Empty>(*first, payload));
  // This one begins elsewhere in the thread's buffer, which must not show.
  test::sample_lesson();
  const auto second = make();
  REQUIRE(second->words().size() == first->words().size());
  CHECK(std::memcmp(second->words().data(), first->words().data(), first->words().size_bytes()) ==
        0);
}

TEST_CASE("envelope_writer: equal events are equal bytes, whatever the thread published before") {
  const auto first = test::sample_lesson();
  for (int i = 0; i < 300; ++i) { // past the place where the buffer begins anew
    const auto again = test::sample_lesson();
    REQUIRE(again->words().size() == first->words().size());
    REQUIRE(std::memcmp(again->words().data(), first->words().data(),
                        first->words().size_bytes()) == 0);
  }
  big_lesson(100'000);
  const auto after = test::sample_lesson();
  CHECK(std::memcmp(after->words().data(), first->words().data(), first->words().size_bytes()) ==
        0);
}

TEST_CASE("envelope_writer: a payload of any size is one segment") {
  for (const std::size_t bytes :
       {0UL, 1UL, 7'000UL, 8'200UL, 16'300UL, 16'384UL, 40'000UL, 1'000'000UL, 20'000'000UL}) {
    INFO(bytes);
    check_big_lesson(*big_lesson(bytes), bytes);
  }
}

TEST_CASE("envelope_writer: many objects that spread over several segments end up in one") {
  using kinds::inner::Everything;
  const auto what = to_event<Everything>(
                        [](Everything::Builder e) {
                          auto parts = e.initParts(3'000);
                          for (unsigned i = 0; i < parts.size(); ++i)
                            parts[i].setName("part " + std::to_string(i));
                        },
                        sample_header())
                        .value();
  generated_reader reader(*what);
  const auto parts = reader.root.getPayload().getAs<Everything>().getParts();
  REQUIRE(parts.size() == 3'000);
  CHECK(text(parts[2'999].getName()) == "part 2999");
}

TEST_CASE("envelope_writer: an event may be published while another is being filled") {
  envelope_ptr inner;
  const auto outer = to_event<LessonPublished>(
                         [&](LessonPublished::Builder lesson) {
                           lesson.setTitle("outer");
                           inner = test::sample_lesson();
                           lesson.setLessonId("outer-1");
                         },
                         sample_header())
                         .value();
  payload_reader of_outer(*outer);
  payload_reader of_inner(*inner);
  CHECK(open<LessonPublished>(*outer, of_outer).value().getTitle() == "outer");
  CHECK(outer->key() == "outer-1");
  CHECK(open<LessonPublished>(*inner, of_inner).value().getTitle() == "Quantum Mechanics 101");
}

TEST_CASE("envelope_writer: what an abandoned event left behind does not show in the next") {
  const auto expected = test::sample_lesson();
  const auto abandon = [](std::size_t bytes) {
    const std::string body(bytes, '\xff');
    to_event<LessonPublished>(
        [&](LessonPublished::Builder lesson) {
          lesson.setBody({body.data(), body.size()});
          throw std::runtime_error("changed my mind");
        },
        sample_header());
  };
  for (const std::size_t bytes : {10UL, 5'000UL, 50'000UL}) {
    CHECK_THROWS_AS(abandon(bytes), std::runtime_error);
    const auto what = test::sample_lesson();
    CHECK(std::memcmp(what->words().data(), expected->words().data(),
                      expected->words().size_bytes()) == 0);
  }
}

TEST_CASE("envelope_writer: each thread builds in a buffer of its own") {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t, &wrong] {
      const std::string id = "thread-" + std::to_string(t);
      for (int i = 0; i < 2'000; ++i) {
        const auto what =
            to_event<LessonPublished>(
                [&](LessonPublished::Builder lesson) { lesson.setLessonId(id); }, sample_header())
                .value();
        wrong += what->key() != id;
      }
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("envelope_writer: an event of exactly the limit is made, one word more is not") {
  const std::size_t base = big_lesson(7)->words().size_bytes();
  for (const std::size_t body : {7UL, 8UL, 9'000UL, 100'000UL}) {
    const std::string text_of(body, 'x');
    const auto make = [&](std::size_t max_bytes) {
      return to_event<LessonPublished>(
          [&](LessonPublished::Builder lesson) {
            lesson.setTitle("before");
            lesson.setBody({text_of.data(), text_of.size()});
            lesson.setLessonId("after");
          },
          sample_header(), max_bytes);
    };
    const std::size_t bytes = base + (body / 8) * 8;
    INFO(body);
    CHECK(make(bytes)->get()->words().size_bytes() == bytes);
    const auto refused = make(bytes - 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::too_large);
    CHECK(refused.error().text == "the event takes " + std::to_string(bytes) +
                                      " bytes: the limit is " + std::to_string(bytes - 1));
  }
}

TEST_CASE("envelope_writer: a subject obeys the rules of topics") {
  auto header = sample_header();
  for (const std::string_view bad : {"eu math", "eu..math", ".eu", "eu.", "*", "eu.>", "$eu"}) {
    header.subject = bad;
    INFO(bad);
    fault(header, errc::bad_topic);
  }
  const std::string long_subject(512 - 16, 's'); // "lesson.published" and a dot are 17 bytes
  header.subject = long_subject;
  CHECK(fault(header, errc::bad_topic).find("the limit is 512") != std::string::npos);
  header.subject = std::string_view(long_subject).substr(1);
  CHECK(test::sample_lesson(header)->topic().size() == 512);
}

TEST_CASE("envelope_writer: a key is at most 512 bytes of UTF-8") {
  auto header = sample_header();
  const std::string key(513, 'k');
  header.key = key;
  CHECK(fault(header, errc::invalid_option).find("a key of 513 bytes") != std::string::npos);
  header.key = "\xff";
  CHECK(fault(header, errc::invalid_option).find("not UTF-8") != std::string::npos);
  header.key = std::string_view(key).substr(1);
  CHECK(test::sample_lesson(header)->key().size() == 512);
}

TEST_CASE("envelope_writer: metadata is at most 64 entries and 16 KiB of UTF-8, each with a name") {
  auto header = sample_header();
  meta_list meta(65, {"name", "value"});
  header.meta = meta;
  CHECK(fault(header, errc::invalid_option).find("65 entries") != std::string::npos);
  meta.pop_back();
  header.meta = meta;
  CHECK(test::sample_lesson(header)->meta_count() == 64);
  const std::string value(16 * 1024 - 3, 'v');
  meta = {{"name", value}};
  header.meta = meta;
  CHECK(fault(header, errc::invalid_option).find("16385 bytes of metadata") != std::string::npos);
  meta = {{"abc", value}};
  header.meta = meta;
  CHECK(test::sample_lesson(header)->meta("abc").size() == value.size());
  meta = {{"", "value"}};
  header.meta = meta;
  CHECK(fault(header, errc::invalid_option).find("no name") != std::string::npos);
  meta = {{"name", "\xc3"}};
  header.meta = meta;
  CHECK(fault(header, errc::invalid_option).find("not UTF-8") != std::string::npos);
}

TEST_CASE("envelope_writer: a key beside the payload wins over the one inside") {
  auto header = sample_header();
  header.key = "other";
  CHECK(test::sample_lesson(header)->key() == "other");
}
