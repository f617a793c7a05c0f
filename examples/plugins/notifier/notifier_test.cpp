#include "catch.hpp"
#include "notifier.hpp"
#include <edupulse/testing.hpp>

namespace {

std::unique_ptr<notifier> make() {
  edupulse::plugin_settings settings;
  settings.set("greeting", "New: ");
  return std::make_unique<notifier>(settings);
}

void publish_light(edupulse::testing::bus& bus) {
  REQUIRE(bus.publish<LessonPublished>([](auto lesson) {
    lesson.setLessonId("42");
    lesson.setTeacherId("amara");
    lesson.setTitle("Light");
  }));
}

} // namespace

TEST_CASE("notifier: a lesson is a notice in its teacher's name") {
  edupulse::testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("notifier", make));
  publish_light(bus);
  const auto notice = bus.expect_published<NoticeWanted>();
  REQUIRE(notice);
  CHECK((*notice)->getText() == "New: Light");
  CHECK(notice->envelope().key() == "amara");
}

TEST_CASE("notifier: a try that failed has sent no notice") {
  edupulse::testing::bus bus;
  REQUIRE(bus.subscribe<LessonPublished>("notifier", make));
  bus.fail_next("notifier", 2);
  publish_light(bus);
  bus.advance(std::chrono::seconds(10));
  CHECK(bus.published_by_handlers().size() == 1);
}

TEST_CASE("notifier: lessons that come again make notices that can be told to be the same") {
  const auto lesson = [](const char* id, const char* title) {
    auto event = edupulse::to_event<LessonPublished>(
        [&](auto to) {
          to.setLessonId(id);
          to.setTitle(title);
        },
        {});
    REQUIRE(event);
    return *event;
  };
  const auto fresh = [] {
    return std::pair(edupulse::make_recipe<LessonPublished>(make),
                     edupulse::testing::observe_effects{});
  };
  const auto same =
      edupulse::testing::expect_idempotent(fresh, {lesson("1", "Light"), lesson("2", "Tides")});
  CHECK((same ? "" : same.error().text) == "");
}
