#include "schemas/typed_event.hpp"

#include "kinds.capnp.h"
#include "schemas/codec.hpp"
#include "tests/schemas/samples.hpp"
#include "tests/support/catch.hpp"

using namespace edupulse;
using test::sample_header;
using test::sample_lesson;

namespace {

/// LessonPublished as another release knows it: same schema, later version, or same name and other
/// schema.
const event_type later_version{"lesson.published",
                               9,
                               capnp::typeId<LessonPublished>(),
                               &struct_schema<LessonPublished>,
                               "",
                               nullptr};
const event_type other_schema{"lesson.published",
                              1,
                              capnp::typeId<LessonUpdated>(),
                              &struct_schema<LessonUpdated>,
                              "",
                              nullptr};

envelope_ptr made_as(const event_type& type) {
  envelope_writer writer(type);
  writer.payload().initAs<LessonPublished>().setTitle("title");
  return writer.finish(sample_header()).value();
}

} // namespace

TEST_CASE("typed_event: an event survives to_event and from_event") {
  const auto event = from_event<LessonPublished>(sample_lesson()).value();
  CHECK(event->getLessonId() == "lesson-42");
  CHECK(event->getTitle() == "Quantum Mechanics 101");
  CHECK((*event).getBody() == "Nobody understands it.");
  CHECK(event.envelope().id() == test::sample_event);
}

TEST_CASE("typed_event: the view keeps its envelope alive") {
  auto event = from_event<LessonPublished>(sample_lesson()).value();
  const auto moved = std::move(event);
  CHECK(moved->getTeacherId() == "teacher-7");
}

TEST_CASE("typed_event: an event survives the way over the border") {
  auto copy = decode(encode(*sample_lesson())).value();
  CHECK(copy->type() == nullptr);
  const auto event = from_event<LessonPublished>(std::move(copy)).value();
  CHECK(event->getTitle() == "Quantum Mechanics 101");
}

TEST_CASE("typed_event: a wrong name is an error that names both") {
  const auto event = from_event<LessonUpdated>(sample_lesson());
  REQUIRE_FALSE(event);
  CHECK(event.error().code == errc::wrong_type);
  CHECK(event.error().text.find("\"lesson.published\" (schema @0x") != std::string::npos);
  CHECK(event.error().text.find("\"lesson.updated\" (schema @0x") != std::string::npos);
  const auto what = sample_lesson();
  payload_reader reader(*what);
  CHECK(open<LessonUpdated>(*what, reader).error().code == errc::wrong_type);
}

TEST_CASE("typed_event: the right name with another schema is an error that names both") {
  const auto event = from_event<LessonPublished>(made_as(other_schema));
  REQUIRE_FALSE(event);
  CHECK(event.error().code == errc::wrong_type);
  char wanted[32];
  char found[32];
  std::snprintf(wanted, sizeof wanted, "@0x%llx",
                static_cast<unsigned long long>(capnp::typeId<LessonPublished>()));
  std::snprintf(found, sizeof found, "@0x%llx",
                static_cast<unsigned long long>(capnp::typeId<LessonUpdated>()));
  CHECK(event.error().text.find(wanted) != std::string::npos);
  CHECK(event.error().text.find(found) != std::string::npos);
}

TEST_CASE("typed_event: another $version of the same schema is accepted") {
  const auto what = made_as(later_version);
  CHECK(what->schema_version() == 9);
  CHECK(from_event<LessonPublished>(what).value()->getTitle() == "title");
}

TEST_CASE("typed_event: a number is a key too") {
  using kinds::inner::UInt64Key;
  const auto what = to_event<UInt64Key>([](auto e) { e.setKey(77); }, sample_header()).value();
  CHECK(what->key() == "77");
  CHECK(what->key_hash() != 0);
}
