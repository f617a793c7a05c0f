@0xa00000000000000f;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.level(bestEffort) { lessonId @0 :Text; }
