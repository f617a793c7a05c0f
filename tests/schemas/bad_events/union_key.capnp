@0xa000000000000005;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") {
  union {
    here @0 :Text $Event.key;
    there @1 :Text;
  }
}
