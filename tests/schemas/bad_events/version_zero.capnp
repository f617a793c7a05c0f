@0xa00000000000000e;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") $Event.version(0) { lessonId @0 :Text; }
