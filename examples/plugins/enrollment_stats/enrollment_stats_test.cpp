#include "catch.hpp"
#include "enrollment_stats.hpp"
#include <edupulse/testing.hpp>
#include <memory>

namespace {

/// The plugin's object on a bus, which the test may look at.
struct at_work {
  explicit at_work(const std::string& state = {}) {
    REQUIRE(bus.subscribe<StudentEnrolled>("totals", [this, state] {
      auto one = std::make_unique<enrollment_stats>();
      if (!state.empty())
        one->restore(state);
      object = one.get();
      return one;
    }));
  }
  /// How many the lesson has then.
  std::uint32_t enroll(const char* student, const char* lesson) {
    REQUIRE(bus.publish<StudentEnrolled>([&](auto to) {
      to.setStudentId(student);
      to.setLessonId(lesson);
    }));
    const auto total = bus.expect_published<EnrollmentTotal>();
    REQUIRE(total);
    CHECK((*total)->getLessonId() == lesson);
    return (*total)->getStudents();
  }

  edupulse::testing::bus bus;
  enrollment_stats* object = nullptr;
};

} // namespace

TEST_CASE("enrollment-stats: students are counted by lesson, each once") {
  at_work now;
  CHECK(now.enroll("ada", "light") == 1);
  CHECK(now.enroll("alan", "light") == 2);
  CHECK(now.enroll("ada", "tides") == 1);
  CHECK(now.enroll("ada", "light") == 2);
}

TEST_CASE("enrollment-stats: the next version goes on counting") {
  at_work before;
  before.enroll("ada", "light");
  before.enroll("alan", "light");
  at_work after(before.object->snapshot());
  CHECK(after.enroll("ada", "light") == 2);
  CHECK(after.enroll("grace", "light") == 3);
}

TEST_CASE("enrollment-stats: ten thousand students fit into a snapshot and out of it") {
  at_work before;
  for (int i = 0; i < 10000; ++i)
    before.enroll(std::to_string(i).c_str(), "light");
  at_work after(before.object->snapshot());
  CHECK(after.enroll("ada", "light") == 10001);
}

TEST_CASE("enrollment-stats: a snapshot that is none is an error, and not a crash") {
  enrollment_stats fresh;
  CHECK_THROWS(fresh.restore("these are no words"));
}
