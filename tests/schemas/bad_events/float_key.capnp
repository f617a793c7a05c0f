@0xa000000000000002;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") { score @0 :Float64 $Event.key; }
