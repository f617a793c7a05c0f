@0xa000000000000011;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") { lessonId @0 :Text $Event.level(bestEffort); }
