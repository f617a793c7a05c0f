@0xa00000000000000c;
using Event = import "/edupulse/event.capnp";
struct Lesson { lessonId @0 :Text $Event.key; }
