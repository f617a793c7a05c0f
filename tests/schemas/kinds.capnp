@0xa8d0c1e7f4b32695;
# Events that exist for the tests of the generator and of the JSON forms: each kind of key, each
# kind of field.

using Event = import "/edupulse/event.capnp";
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("kinds::inner");

struct TextKey $Event.name("kinds.text") { key @0 :Text $Event.key; }
struct Int8Key $Event.name("kinds.int8") { key @0 :Int8 $Event.key; }
struct Int64Key $Event.name("kinds.int64") { key @0 :Int64 $Event.key; }
struct UInt16Key $Event.name("kinds.uint16") { key @0 :UInt16 $Event.key; }
struct UInt64Key $Event.name("kinds.uint64") { key @0 :UInt64 $Event.key; }
struct EnumKey $Event.name("kinds.enum") { color @0 :Color $Event.key; }
struct NoKey $Event.name("kinds.none") $Event.version(7) { value @0 :UInt32; }
struct Measured $Event.name("kinds.measured") $Event.level(bestEffort) { value @0 :UInt32; }
struct Counted $Event.name("kinds.counted") $Event.level(acknowledged) { value @0 :UInt32; }
struct Empty $Event.name("kinds.empty") {}

enum Color { red @0; green @1; blue @2; }

struct Outer {
  struct Nested $Event.name("kinds.nested") $Cxx.name("Renamed") {
    key @0 :Text $Event.key $Cxx.name("identity");
  }
}

struct NotAnEvent { text @0 :Text; }

struct Everything $Event.name("kinds.everything") {
  nothing @0 :Void;
  flag @1 :Bool;
  small @2 :Int8;
  large @3 :Int64;
  largest @4 :UInt64;
  half @5 :Float32;
  full @6 :Float64;
  text @7 :Text;
  data @8 :Data;
  color @9 :Color;
  numbers @10 :List(Int32);
  parts @11 :List(Part);
  part @12 :Part;
  union {
    left @13 :Text;
    right @14 :UInt16;
  }
  place :group {
    row @15 :UInt8;
    seat @16 :UInt8;
  }
  natural @17 :UInt8;
  matrix @18 :List(List(Int16));

  struct Part { name @0 :Text; count @1 :UInt32 = 5; }
}

struct Tree $Event.name("kinds.tree") {
  child @0 :Tree;
  label @1 :Text;
  labels @2 :List(Text);
}

struct Anything $Event.name("kinds.anything") { what @0 :AnyPointer; }

# Those that cannot be flattened.
struct HasId $Event.name("kinds.has-id") { id @0 :Text; }
struct HasName $Event.name("kinds.has-name") { name @0 :Text; }
struct HasMeta $Event.name("kinds.has-meta") { meta @0 :Text; }
