@0xd91b5c3a7e60f284;
# Envelopes as other releases write them: one from before there was metadata, one with more than we
# know.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("other_writers");

struct Older {
  idHigh @0 :UInt64;
  idLow @1 :UInt64;
  publisherHigh @2 :UInt64;
  publisherLow @3 :UInt64;
  occurredAt @4 :Int64;
  schemaId @5 :UInt64;
  schemaVersion @6 :UInt16;
  name @7 :Text;
}

struct Newer {
  idHigh @0 :UInt64;
  idLow @1 :UInt64;
  publisherHigh @2 :UInt64;
  publisherLow @3 :UInt64;
  occurredAt @4 :Int64;
  schemaId @5 :UInt64;
  schemaVersion @6 :UInt16;
  name @7 :Text;
  subject @8 :Text;
  key @9 :Text;
  metadata @10 :List(Entry);
  payload @11 :AnyPointer;
  priority @12 :UInt64;
  signature @13 :Data;

  struct Entry {
    name @0 :Text;
    value @1 :Text;
    origin @2 :Text;
  }
}
