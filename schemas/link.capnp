@0xb2eadb83d48857c1;
# What two nodes say to each other, apart from membership (membership.capnp). Everything travels in
# frames:
#
#     frame  = length (u32, bytes of the body) kind (u8) 0 (u8) 0 (u16) body
#
# Numbers are little-endian; a body is a whole number of 8-byte words. A message below is the body of
# a frame of its kind: one Cap'n Proto segment without a segment table. Only a frame of events
# (kind 4) has a body of several parts:
#
#     events = words of the head (u32) number of envelopes (u32) head envelope*
#     envelope = words (u32) 0 (u32) the envelope's segment (envelope.capnp)
#
# A peer opens two connections, control and bulk, and says hello on each. Hellos are answered, with
# one of the other side or with a refusal; nothing else may come before.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::schema");

enum FrameKind {
  none @0;
  hello @1;
  refusal @2;
  control @3;
  events @4;
  membership @5;
}

struct Hello {
  versionMajor @0 :UInt16;
  versionMinor @1 :UInt16;
  # Of the protocol. Another major version is refused; of two minor ones the lower is spoken.

  features @2 :UInt64;
  # Bits of what this side can do beyond its version. Unknown bits are ignored.

  cluster @3 :Text;
  nodeHigh @4 :UInt64;
  nodeLow @5 :UInt64;
  bootEpoch @6 :UInt64;
  instance @7 :UInt64;
  # Random for each process: two processes with one id and epoch are a copied data directory.

  name @8 :Text;
  address @9 :Text;
  # Where this side can be dialled, "host:port".

  session @10 :UInt64;
  # Chosen by the side that dials, the same on both of its connections.
  role @11 :Role;
  enum Role {
    control @0;
    bulk @1;
  }

  settings @12 :List(Setting);
  # What must agree between members. A difference is refused, naming the setting and both values.
  struct Setting {
    name @0 :Text;
    value @1 :Text;
  }

  maxEventBytes @13 :UInt32;
  # The largest envelope that this side takes.
}

struct Refusal {
  reason @0 :Reason;
  text @1 :Text;
  # One sentence for people. Nothing in it but what the peer said itself, before it is authenticated.
  enum Reason {
    other @0;
    wrongCluster @1;
    version @2;
    settings @3;
    fenced @4;
    conflict @5;
    name @6;
    full @7;
    stopping @8;
    duplicate @9;
    # Both sides have dialled, and the other session goes on. Not a trouble.
  }
  bootEpoch @2 :UInt64;
  address @3 :Text;
  # Of `fenced`: the later start of the same node, and where it can be dialled.
}

struct Control {
  union {
    resume :group {
      # The first message of each side on the control connection.
      controlSeen @0 :UInt64;
      # Numbered messages of the receiver that have arrived, in all sessions.
      expected @1 :List(Expectation);
      link @15 :UInt64;
      # The number of this side's link to the receiver. Another one than in the session before: the
      # sender had given the receiver up, and knows nothing of what was said before. 0: never.
      peerLink @16 :UInt64;
      # The number of the receiver's link as the sender knows it; 0: it knows none.
      more @17 :Bool;
      # `expected` goes on in another resume, which comes once the receiver has said its first one.
    }
    taken :group {
      # How far this side has read.
      control @2 :UInt64;
      frames @3 :UInt64;
      # Frames of events, in this session.
    }
    numbered :group {
      # Kept by the sender until the receiver says that it has it, and said again in the next
      # session. Numbers rise by one, from 1.
      number @4 :UInt64;
      union {
        acks @5 :List(Ack);
        carried @6 :Data;
      }
    }
    ask :group {
      # A question, which nobody keeps: with the session it is over.
      id @7 :UInt64;
      # Of the asker's choice, and another one for each question.
      about @8 :Question;
      part @9 :UInt32;
      # 0 begins; each next part is asked for when the one before has come.
    }
    answer :group {
      id @10 :UInt64;
      part @11 :UInt32;
      last @12 :Bool;
      topics @13 :List(TopicCounts);
      lines @14 :List(LedgerLine);
      # Of what the sender has published, and of nothing else: so the sum over all nodes counts each
      # event once. Not more than 4096 of either in a part.
    }
  }

  enum Question {
    ledger @0;
  }
  struct TopicCounts {
    topic @0 :Text;
    # At most 512 bytes, as all names here.
    published @1 :UInt64;
    noSubscriber @2 :UInt64;
  }
  struct LedgerLine {
    topic @0 :Text;
    subscription @1 :Text;
    # "indexer@api-2": with the node it is on, also when that is the sender.
    published @2 :UInt64;
    handled @3 :UInt64;
    dead @4 :UInt64;
    expired @5 :UInt64;
    dropped @6 :List(UInt64);
    # By reason, as in `Ack.why`. Those that are not named are 0. Not more than 256.
    pending @7 :UInt64;
    # published = handled + dead + expired + the sum of dropped + pending
    retries @8 :UInt64;
    crashes @9 :UInt64;
  }

  struct Expectation {
    subscription @0 :UInt32;
    next @1 :UInt64;
    # Everything before this number has arrived, in this start of the receiver.
  }

  struct Ack {
    # Events [first, first + count) of a subscription have ended there.
    subscription @0 :UInt32;
    first @1 :UInt64;
    count @2 :UInt64;
    how @3 :Fate;
    why @4 :UInt8;
    # Of dropped ones: shed_stalled 0, drop_newest 1, drop_oldest 2, superseded 3,
    # best_effort_full 4, unsubscribed 5, stopped 6, discarded 7, reassigned 8, unreachable 9.
    # Any other number is taken for 10, unknown, and a fate that is not known for dropped so.
  }
  enum Fate {
    handled @0;
    dead @1;
    expired @2;
    dropped @3;
  }
}

struct EventsHead {
  runs @0 :List(Run);
  # In the order of the envelopes; the counts add up to their number.

  struct Run {
    count @0 :UInt32;
    level @1 :Level;
    expiresInMs @2 :UInt64;
    # 0: never. Counted from when it was sent.
    targets @3 :List(Target);
  }
  enum Level {
    bestEffort @0;
    acknowledged @1;
  }
  struct Target {
    subscription @0 :UInt32;
    dseq @1 :UInt64;
    # The number of the run's first event for this subscription; the others follow. From 1,
    # contiguous, for one start of the sender and one of the receiver.
    missed @2 :UInt64;
    # Events that the subscription was not given just before this run: dropped, and counted by the
    # sender.
  }
}
