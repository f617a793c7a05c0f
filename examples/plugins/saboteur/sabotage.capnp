@0xe9f1073c5ad2b864;
# What the saboteur can be told.

using Event = import "/edupulse/event.capnp";

struct SabotageOrdered $Event.name("sabotage.ordered") {
  # Its handler does that harm when this event comes.

  target @0 :Text $Event.key;
  harm @1 :Text;
  # none, throw, hang, segfault, exit, slow, retry, reject or unavailable.
}
