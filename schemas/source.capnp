@0xc3a1d2f79f4e8b65;
# What a node tells of messages that it could not take in. runtime/include/edupulse/source.hpp.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse");

struct SourceMalformed {
  # Topic: "$source.malformed." and the name of the source. It does not leave the node.

  source @0 :Text;
  place @1 :Text;
  # Of the message at its broker.
  topic @2 :Text;
  contentType @3 :Text;
  headers @4 :List(Header);
  key @5 :Text;
  body :union {
    text @6 :Text;
    # When it is UTF-8.
    bytes @7 :Data;
  }
  problem @8 :Text;
  cut @9 :UInt64;
  # Bytes of the body, and headers, that found no room here. Then it cannot be read again.

  struct Header {
    name @0 :Text;
    value @1 :Text;
  }
}
