@0xa00000000000000d;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.version(2) { lessonId @0 :Text; }
