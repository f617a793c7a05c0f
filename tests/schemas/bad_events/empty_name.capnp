@0xa000000000000009;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("") { id @0 :Text; }
