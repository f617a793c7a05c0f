@0xa000000000000007;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson..published") { id @0 :Text; }
