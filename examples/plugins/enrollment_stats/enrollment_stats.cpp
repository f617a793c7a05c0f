#include "enrollment_stats.hpp"
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <cstring>

edupulse::outcome enrollment_stats::handle(StudentEnrolled::Reader student,
                                           edupulse::context& ctx) {
  const std::string lesson = student.getLessonId();
  auto& students = students_[lesson];
  students.insert(student.getStudentId());
  const auto sent = ctx.publish<EnrollmentTotal>([&](auto total) {
    total.setLessonId(lesson);
    total.setStudents(static_cast<std::uint32_t>(students.size()));
  });
  return sent ? edupulse::outcome::ok() : edupulse::outcome::retry(sent.error().text);
}

std::string enrollment_stats::snapshot() const {
  capnp::MallocMessageBuilder message;
  auto lessons =
      message.initRoot<EnrollmentState>().initLessons(static_cast<unsigned>(students_.size()));
  unsigned at = 0;
  for (const auto& [id, students] : students_) {
    auto lesson = lessons[at++];
    lesson.setId(id);
    auto names = lesson.initStudents(static_cast<unsigned>(students.size()));
    unsigned number = 0;
    for (const auto& name : students)
      names.set(number++, name);
  }
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asChars();
  return {bytes.begin(), bytes.size()};
}

void enrollment_stats::restore(std::string_view from) {
  // Its bytes need not lie as words must.
  auto words = kj::heapArray<capnp::word>(from.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), from.data(), words.asBytes().size());
  capnp::FlatArrayMessageReader message(words, {.traversalLimitInWords = 2 * words.size() + 64});
  for (const auto lesson : message.getRoot<EnrollmentState>().getLessons()) {
    auto& students = students_[lesson.getId()];
    for (const auto name : lesson.getStudents())
      students.insert(name);
  }
}

// One object: the events' key is the student, and its state is by lesson.
EDUPULSE_PLUGIN(edupulse::plugin("enrollment-stats", "1.0.0")
                    .about("Counts the students of each lesson")
                    .publishes<EnrollmentTotal>()
                    .handler<StudentEnrolled, enrollment_stats>("totals", {.concurrency = 1}));
