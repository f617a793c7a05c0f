@0xd2c6a8b1f4e0937b;
# What the nodes of the fault tests send each other.

using Event = import "/edupulse/event.capnp";

struct FaultProbe $Event.name("fault.probe") {
  key @0 :Text $Event.key;
  # "k7".

  start @1 :UInt32;
  # Of the publishing process: another one for each start, chosen by the test.

  number @2 :UInt64;
  # Counts the events of that start, from 1.

  lane @3 :UInt32;
  # The key as a number.

  filling @4 :Data;
  # Every byte is the low one of `number`: what was mixed up on the way is seen.
}
