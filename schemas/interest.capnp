@0x86c4420723be76d4;
# What a node's subscriptions want of its peers: carried by a link as numbered control messages, so
# nothing of it is lost or out of order. The first one of a link says everything, later ones what has
# changed. Unlike the messages of link.capnp it is in Cap'n Proto's stream format, which begins with a
# segment table.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::schema");

struct Interest {
  version @0 :UInt64;
  # Rises by one with each message, from 1. A receiver that misses one cuts the link.

  added @1 :List(Subscription);
  removed @2 :List(UInt32);
  # Numbers. A subscription is removed when its last event is concluded.

  struct Subscription {
    number @0 :UInt32;
    # What events and conclusions name it by. Never used again in this start of the node.
    name @1 :Text;
    filter @2 :Text;
    # As people write it; with `andBelow` the topic itself and all below it.
    andBelow @3 :Bool;

    overload @4 :Overload;
    # What the publisher does when it owes this subscription too much.
    backlogEvents @5 :UInt64;
    backlogBytes @6 :UInt64;
    stallAfterMs @7 :UInt64;
    windowEvents @8 :UInt64;
    windowBytes @9 :UInt64;
    # At most so much may be sent to it and not concluded.

    group @10 :Text;
    # Empty: none. All subscriptions with one group share the events: a publisher gives each event to
    # one of them. They must agree on the filter, the order, `overload`, the backlog and
    # `stallAfterMs`.
    order @11 :Order;
  }
  enum Overload {
    wait @0;
    strict @1;
    dropNewest @2;
    dropOldest @3;
    latestPerKey @4;
  }
  enum Order {
    keyed @0;
    strict @1;
  }
}
