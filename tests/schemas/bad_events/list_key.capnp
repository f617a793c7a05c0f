@0xa000000000000004;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") { ids @0 :List(Text) $Event.key; }
