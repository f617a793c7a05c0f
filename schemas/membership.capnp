@0x8fe54b9b5379e06e;
# What members of a cluster tell each other about who is there: SWIM (Das, Gupta, Motivala 2002)
# with Lifeguard (Dadgar, Phillips, Currey 2018), a push-pull of tables, and joining.
#
# A frame travels on a connection whose two ends have said hello, so that each knows the other's
# node id, boot epoch, name and cluster. A receiver drops a frame whose sender is not that peer:
# nobody speaks for another. What a frame says about third nodes is hearsay. It may raise a
# suspicion, and add a node that was not known; it never moves a node to another boot epoch. For
# that the receiver dials the node and hears it from itself.
#
# A frame is one segment without a segment table, at most 16 KiB, a whole number of 8-byte words
# whose first is the root pointer. At most 240 updates; names and addresses 1 to 255 bytes, metadata
# at most 512. A frame that breaks a bound is refused as a whole. A message of a kind that the
# receiver does not know is ignored, but its updates count; so a later version may add kinds.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::schema");

struct MembershipFrame {
  cluster @0 :UInt64;
  # FNV-1a, 64 bits, of the cluster's id. Frames of another cluster are dropped, even if a connection
  # should have been made.

  senderHigh @1 :UInt64;
  senderLow @2 :UInt64;
  senderEpoch @3 :UInt64;
  senderIncarnation @4 :UInt64;
  # Who speaks, which start of it, and how often it has refuted a suspicion since. Only the node
  # itself raises its incarnation.

  updates @5 :List(Update);
  # News about members, in any message. In `table` and `joinOk` they are the sender's whole table,
  # or one part of it.

  union {
    ping :group {
      # "Answer with an ack of this number." Ignored by anybody but the target.
      sequence @6 :UInt32;
      targetHigh @7 :UInt64;
      targetLow @8 :UInt64;
    }
    ack :group {
      # The answer to a ping; or, from a helper, that the target of a ping-request has answered it.
      sequence @9 :UInt32;
    }
    pingRequest :group {
      # "I cannot reach this member; ping it for me." Answered with an ack, or a nack.
      sequence @10 :UInt32;
      targetHigh @11 :UInt64;
      targetLow @12 :UInt64;
    }
    nack :group {
      # From a helper, a little before the asker's patience ends: the target has not answered me
      # yet. It tells the asker that its own connection to the helper is well.
      sequence @13 :UInt32;
    }
    gossip @14 :Void;
    # Nothing but updates.

    offer :group {
      # "My table has this digest." A receiver with the same digest answers `same`, any other one
      # sends its table and asks for the sender's.
      digest @15 :UInt64;
      # The sum, modulo 2^64, over each member that is alive or suspect, the sender included, of
      #   f(f(f(f(f(high) ^ low) ^ epoch) ^ incarnation) ^ state)
      # with high and low the halves of its id, state 0 or 1, and f the finisher of SplitMix64:
      #   x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9, x = (x ^ x >> 27) * 0x94d049bb133111eb, x ^ x >> 31
    }
    same @16 :Void;
    # The answer to an offer: the tables agree.

    table :group {
      # One part of a table: `part` counts from 0 to `parts` - 1.
      part @17 :UInt16;
      parts @18 :UInt16;
      wanted @19 :Bool;
      # The receiver's own table is to be sent back, after the last part.
    }
    join @20 :Join;
    # "Let me in." Its only update is the sender itself.

    joinOk :group {
      # You are in; one part of the table.
      part @21 :UInt16;
      parts @22 :UInt16;
    }
    refused @23 :Refused;
    leave :group {
      # The sender goes, on purpose. Answered with an ack.
      sequence @24 :UInt32;
    }
  }
}

enum State {
  alive @0;
  suspect @1;
  dead @2;
  left @3;
}

struct Update {
  nodeHigh @0 :UInt64;
  nodeLow @1 :UInt64;
  epoch @2 :UInt64;
  incarnation @3 :UInt64;
  # News is newer when (epoch, incarnation, state) is greater, in that order.

  state @4 :State;
  # A state that the receiver does not know makes it skip the update.

  fromHigh @5 :UInt64;
  fromLow @6 :UInt64;
  # Who accuses, when `state` is suspect or dead: several accusers count for more than one.

  name @7 :Text;
  address @8 :Text;
  metadata @9 :Data;
  # Of a member that is alive, and in a table also of one that is suspect: its name in the cluster,
  # where it can be dialled, and what its application says about it.
}

struct Join {
  cluster @0 :Text;
  # The cluster's id in full, so that a refusal can name both.
  versionMajor @1 :UInt16;
  versionMinor @2 :UInt16;
  # Of this protocol. Another major version is refused.
}

struct Refused {
  reason @0 :Reason;
  text @1 :Text;
  # For people.
  epoch @2 :UInt64;
  address @3 :Text;
  # `fenced`: the newer start of the same node that the sender has met, and where.

  enum Reason {
    other @0;
    wrongCluster @1;
    version @2;
    fenced @3;
    # The sender has met a later start of the same node.
    conflict @4;
    # The sender has met another node of the same name since.
    full @5;
    # No room for another member now. Ask again later.
  }
}
