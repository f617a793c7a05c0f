@0xa000000000000006;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") {
  place :group { room @0 :Text $Event.key; }
}
