@0xa000000000000003;
using Event = import "/edupulse/event.capnp";
struct Lesson $Event.name("lesson.published") { raw @0 :Data $Event.key; }
