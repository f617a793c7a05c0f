@0xc04f8a3ed2b97165;
# One event on its way: what a publisher made, what a link carries, what a handler reads.
#
# An envelope is written once, by the node that publishes, and its bytes never change afterwards:
# they are sent to every peer and shown to every handler as they are. So there is nothing in here
# that differs between receivers (sequence numbers, attempts, deadlines): those travel beside it.
#
# It is always one segment, and what goes over a wire or onto a disk is that segment itself, without
# a segment table: a whole number of 8-byte words whose first is the root pointer. A receiver checks
# the header below before anything else sees the bytes, and does not follow `payload` while it does
# so; the reader of a handler follows it, with limits of its own.
#
# Rules for a writer in any language: the Envelope struct directly behind the root pointer (so that
# everything else lies behind it, which is what a builder does when the Envelope is made first); no
# far pointers; UTF-8 in every text, a byte of zero at its end; `name` and `name.subject` are topics
# (1 to 512 bytes, 1 to 32 tokens of [A-Za-z0-9_:@+-] between dots); `key` at most 512 bytes; at
# most 64 entries of metadata, together at most 16 KiB.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::schema");

struct Envelope {
  idHigh @0 :UInt64;
  idLow @1 :UInt64;
  # The event's id, a UUID of version 7, as two big-endian halves. Chosen once, by the publishing
  # node. Duplicates keep it; it is how people, logs and applications recognize an event.

  publisherHigh @2 :UInt64;
  publisherLow @3 :UInt64;
  # The id of the node that published the event. A link refuses an envelope whose publisher is not
  # the peer it talks to.

  occurredAt @4 :Int64;
  # Milliseconds since 1970-01-01 UTC, by the publisher's clock. Clocks of nodes differ: for people,
  # not for order.

  schemaId @5 :UInt64;
  # Cap'n Proto's 64-bit id of the payload's struct. A handler that was compiled with another struct
  # refuses the event instead of misreading it.

  schemaVersion @6 :UInt16;
  # What $Event.version said where it was published. Told to the handler; never a reason to refuse.

  name @7 :Text;
  # The event's name, from $Event.name: "lesson.published".

  subject @8 :Text;
  # Tokens below the name, or nothing: with "eu.math" the topic is "lesson.published.eu.math".

  key @9 :Text;
  # Events with equal keys are handled in the order they were published. Nothing: no such order is
  # asked for.

  metadata @10 :List(Entry);
  # What the application and the runtime say about the event besides its content: tenant,
  # correlation and causation id, trace context. Names are unique; the first of two equal names
  # counts.

  payload @11 :AnyPointer;
  # The event itself: a struct, of the type that `schemaId` names, or null for one with nothing set.

  struct Entry {
    name @0 :Text;
    value @1 :Text;
  }
}
