@0xa000000000000001;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") {
  first @0 :Text $Event.key;
  second @1 :Text $Event.key;
}
