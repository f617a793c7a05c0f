#include "kinds.capnp.h"
#include "lesson.capnp.h"
#include "schemas/event_traits.hpp"
#include "tests/support/catch.hpp"
#include <capnp/message.h>
#include <limits>

using namespace edupulse;
using namespace kinds::inner;

namespace {

template <class T, class Fill> std::string key_after(Fill&& fill) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<T>();
  fill(event);
  const auto key = event_traits<T>::key(event.asReader());
  const std::string text{static_cast<std::string_view>(key)};
  // The same through the type that is known only at run time.
  CHECK(event_traits<T>::type().key_of(message.getRoot<capnp::AnyPointer>().asReader()) == text);
  return text;
}

} // namespace

TEST_CASE("event_traits: name, version and schema come from the annotations") {
  STATIC_REQUIRE(event<LessonPublished>);
  STATIC_REQUIRE(event_traits<LessonPublished>::name == "lesson.published");
  STATIC_REQUIRE(event_traits<LessonPublished>::version == 1);
  STATIC_REQUIRE(event_traits<QuizSubmitted>::version == 2);
  const event_type& type = event_traits<LessonPublished>::type();
  CHECK(type.name == "lesson.published");
  CHECK(type.schema_id == capnp::typeId<LessonPublished>());
  CHECK(type.key_field == "lessonId");
  CHECK(type.schema().getProto().getId() == type.schema_id);
  CHECK(&type == &event_traits<LessonPublished>::type());
}

TEST_CASE("event_traits: the key may be a text, an integer of any size, or an enum") {
  CHECK(key_after<TextKey>([](auto e) { e.setKey("lesson-42"); }) == "lesson-42");
  CHECK(key_after<TextKey>([](auto) {}) == "");
  CHECK(key_after<Int8Key>([](auto e) { e.setKey(-128); }) == "-128");
  CHECK(key_after<Int64Key>([](auto e) { e.setKey(std::numeric_limits<std::int64_t>::min()); }) ==
        "-9223372036854775808");
  CHECK(key_after<UInt16Key>([](auto e) { e.setKey(65535); }) == "65535");
  CHECK(key_after<UInt64Key>([](auto e) { e.setKey(std::numeric_limits<std::uint64_t>::max()); }) ==
        "18446744073709551615");
  CHECK(key_after<UInt64Key>([](auto) {}) == "0");
  CHECK(key_after<EnumKey>([](auto e) { e.setColor(Color::BLUE); }) == "2");
}

TEST_CASE("event_traits: the level is the annotation's, and acknowledged without one") {
  STATIC_REQUIRE(event_traits<Measured>::level == delivery_level::best_effort);
  STATIC_REQUIRE(event_traits<Counted>::level == delivery_level::acknowledged);
  STATIC_REQUIRE(event_traits<LessonPublished>::level == delivery_level::acknowledged);
  CHECK(event_traits<Measured>::type().level == delivery_level::best_effort);
  CHECK(event_traits<LessonPublished>::type().level == delivery_level::acknowledged);
}

TEST_CASE("event_traits: an event without a key field has no key") {
  STATIC_REQUIRE_FALSE(event_traits<NoKey>::has_key);
  capnp::MallocMessageBuilder message;
  const auto event = message.initRoot<NoKey>();
  CHECK(static_cast<std::string_view>(event_traits<NoKey>::key(event.asReader())).empty());
  CHECK(event_traits<NoKey>::type().key_of == nullptr);
  CHECK(event_traits<NoKey>::type().key_field.empty());
}

TEST_CASE("event_traits: nested and renamed structs are events too") {
  STATIC_REQUIRE(event_traits<Outer::Renamed>::name == "kinds.nested");
  CHECK(key_after<Outer::Renamed>([](auto e) { e.setIdentity("me"); }) == "me");
}

TEST_CASE("event_traits: a struct without $Event.name is no event") {
  STATIC_REQUIRE_FALSE(event<NotAnEvent>);
  STATIC_REQUIRE_FALSE(event<int>);
}
