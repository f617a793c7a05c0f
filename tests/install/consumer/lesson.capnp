@0xd30f6c1b8e7a4592;
using Event = import "/edupulse/event.capnp";

struct LessonPublished $Event.name("lesson.published") {
  lessonId @0 :Text $Event.key;
  title @1 :Text;
}
