@0xb3a1d6f0c27e5948;
# The sample events of a live-teaching product: teachers publish lessons, students find them,
# enroll, and answer quizzes.

using Event = import "/edupulse/event.capnp";

struct LessonPublished $Event.name("lesson.published") {
  # A lesson can be seen by students from now on.

  lessonId @0 :Text $Event.key;
  # What happens to one lesson is handled in order.

  teacherId @1 :Text;
  title @2 :Text;
  body @3 :Text;
  # Plain text, as the search index reads it.
}

struct LessonUpdated $Event.name("lesson.updated") {
  # Title or text of a published lesson are other ones now. Carries the whole lesson, not a
  # difference.

  lessonId @0 :Text $Event.key;
  teacherId @1 :Text;
  title @2 :Text;
  body @3 :Text;
}

struct LessonWithdrawn $Event.name("lesson.withdrawn") {
  # A lesson can no longer be seen. It may be published again, under the same id.

  lessonId @0 :Text $Event.key;
  teacherId @1 :Text;
  reason @2 :Text;
}

struct StudentEnrolled $Event.name("student.enrolled") {
  # A student takes part in a lesson.

  lessonId @0 :Text;
  studentId @1 :Text $Event.key;
  # What one student does is handled in order.
}

struct QuizSubmitted $Event.name("quiz.submitted") $Event.version(2) {
  # A student has answered a quiz of a lesson.

  quizId @0 :UInt64;
  lessonId @1 :Text;
  studentId @2 :Text $Event.key;
  answers @3 :List(Answer);
  score @4 :Float32;
  # 0 to 1. Since version 2; before, the score was worked out by each reader.

  struct Answer {
    question @0 :UInt16;
    choice @1 :Choice;
    text @2 :Text;
    # Only when the choice is `free`.
  }

  enum Choice {
    skipped @0;
    a @1;
    b @2;
    c @3;
    d @4;
    free @5;
  }
}
