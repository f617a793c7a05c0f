@0xe17c9d0b6a5f4c21;
# The annotations that turn a struct into an event.
#
#     using Event = import "/edupulse/event.capnp";
#
#     struct LessonPublished $Event.name("lesson.published") {
#       lessonId @0 :Text $Event.key;
#       title    @1 :Text;
#     }
#
# The CMake function edupulse_add_events() runs the compiler plugin capnpc-edupulse over such files.
# It checks what is said here and writes what C++ must know at compile time: without the plugin the
# annotations are comments.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::schema");

annotation name @0x9bd1b1f3c3d5a0e7 (struct) :Text;
# The event's name, which is also the topic it is published under (a subject may be added below it).
# One to 32 tokens of [A-Za-z0-9_:@+-] between dots. Renaming an event makes another event: old
# subscribers stop seeing it. No two structs of a program may share a name.

annotation key @0xd7e0a4c58b1f92d3 (field) :Void;
# Events with equal keys are handled in the order they were published, by each subscription. At most
# one field of a struct: Text, an integer, or an enum (whose number counts, so that enumerants may
# be renamed). Not inside a union or group. An empty text means that this one event has no key.

annotation level @0xc8a94d17e2b05f36 (struct) :Level;
# How its events are delivered when a publish does not say. `acknowledged` unless it is given.

enum Level {
  acknowledged @0;
  # Sent again until each matching subscription has ended it. `publish` waits while one is full.
  bestEffort @1;
  # Once, or not at all: for what the next event makes worthless, such as a position or a load.
}

annotation version @0xf2c6837be9a4150d (struct) :UInt16;
# Counts the changes of a struct, from 1 (the default). Cap'n Proto's rules for compatible change
# are what makes old readers and new writers agree; the number only says which one wrote the event.
