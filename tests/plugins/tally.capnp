@0xd0c3b5f4a1e68297;
# What the plugins of the tests say of themselves.

using Event = import "/edupulse/event.capnp";

struct Counted $Event.name("tally.counted") {
  lessonId @0 :Text $Event.key;
  count @1 :UInt64;
  # Of this lesson, so far.
  version @2 :Text;
  # Of the plugin that counted.
  number @3 :Text;
  # As the lesson's title says.
}
