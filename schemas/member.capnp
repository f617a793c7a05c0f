@0xf5b4cb7226ad1420;
# What a node tells its own subscribers about the others.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse");

struct MemberChanged {
  # Topic: "$cluster.member." and what happened. It does not leave the node: every member sees for
  # itself.

  what @0 :What;
  enum What {
    joined @0;
    suspect @1;
    # It does not answer. It will be alive again, or dead.
    dead @2;
    # Believed to be gone; it may come back.
    left @3;
    # Said goodbye.
    replaced @4;
    # It was started anew before its end was noticed.
    aliveAgain @5;
    changed @6;
    # Its address.
  }
  name @1 :Text;
  nodeId @2 :Text;
  epoch @3 :UInt64;
  # Counts the starts of this id.
  address @4 :Text;
  by @5 :Text;
  # The id of who accuses (suspect, dead), or of the start before (replaced); else empty.
  text @6 :Text;
  # For people, or empty.
}
