@0xb8d1f0a27c3e4965;
using Event = import "/edupulse/event.capnp";

struct VisitorCame $Event.name("visitor.came") {
  name @0 :Text $Event.key;
}

struct VisitorGreeted $Event.name("visitor.greeted") {
  words @0 :Text;
}
