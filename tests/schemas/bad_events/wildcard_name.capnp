@0xa000000000000008;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.*") { id @0 :Text; }
