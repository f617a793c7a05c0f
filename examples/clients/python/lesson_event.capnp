@0xf40da966bf7fa483;
# schemas/envelope.capnp again, field by field, for programs that know the payload's type: JSON has
# no AnyPointer, and the layout of a struct does not depend on what a pointer is said to point to.

using Entry = import "../../../schemas/envelope.capnp".Envelope.Entry;

struct Header {
  # Of any event. A reader that knows fewer fields than there are does not see the others.
  idHigh @0 :UInt64;
  idLow @1 :UInt64;
  publisherHigh @2 :UInt64;
  publisherLow @3 :UInt64;
  occurredAt @4 :Int64;
  schemaId @5 :UInt64;
  schemaVersion @6 :UInt16;
  name @7 :Text;
  subject @8 :Text;
  key @9 :Text;
  metadata @10 :List(Entry);
}

struct LessonEvent {
  # Of an event `lesson.published`, whose `schemaId` is that of LessonPublished in
  # examples/events/lesson.capnp: `capnp compile -o capnp` prints it.
  idHigh @0 :UInt64;
  idLow @1 :UInt64;
  publisherHigh @2 :UInt64;
  publisherLow @3 :UInt64;
  occurredAt @4 :Int64;
  schemaId @5 :UInt64;
  schemaVersion @6 :UInt16;
  name @7 :Text;
  subject @8 :Text;
  key @9 :Text;
  metadata @10 :List(Entry);
  payload @11 :Lesson;

  struct Lesson {
    lessonId @0 :Text;
    teacherId @1 :Text;
    title @2 :Text;
    body @3 :Text;
  }
}
