@0xa00000000000000a;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("$node.joined") { id @0 :Text; }
