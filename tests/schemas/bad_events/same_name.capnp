@0xa00000000000000b;
using Event = import "/edupulse/event.capnp";
struct One $Event.name("lesson.published") { id @0 :Text; }
struct Outer { struct Two $Event.name("lesson.published") { id @0 :Text; } }
