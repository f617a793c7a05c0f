@0xa00000000000000f;
using Event = import "/edupulse/event.capnp";
struct Lesson(T) $Event.name("lesson.published") { body @0 :T; }
