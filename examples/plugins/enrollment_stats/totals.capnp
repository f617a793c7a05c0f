@0xc2e85b90d47f1a36;
# What enrollment-stats publishes, and what it hands over.

using Event = import "/edupulse/event.capnp";

struct EnrollmentTotal $Event.name("enrollment.total") {
  # How many students a lesson has, each time that one comes.

  lessonId @0 :Text $Event.key;
  students @1 :UInt32;
}

struct EnrollmentState {
  # A snapshot: a schema, so that a later version can read what an earlier one has written.

  lessons @0 :List(Lesson);

  struct Lesson {
    id @0 :Text;
    students @1 :List(Text);
  }
}
