@0xa000000000000010;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") $Event.level(durable) { lessonId @0 :Text; }
