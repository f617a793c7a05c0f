@0xd3a86ff7c1b2e94f;
# The manifest of a plugin, which lies as JSON in the section `.edupulse.manifest` of its file. The
# compiler writes it from what EDUPULSE_PLUGIN says.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::schema");

struct PluginManifest {
  format @0 :UInt32;
  # 1. Another number: a form that this reader does not know.
  name @1 :Text;
  version @2 :Text;
  about @3 :Text;
  fingerprint @4 :Text;
  # What the plugin was built with. A node refuses one that differs from its own.
  scope @5 :Scope;
  handlers @6 :List(Handler);
  publishes @7 :List(Text);
  # Names of events.
  settings @8 :List(Setting);

  struct Scope {
    strategy @0 :Text;
    intensity @1 :UInt32;
    periodMs @2 :UInt32;
    backOffMs @3 :UInt32;
    backOffCapMs @4 :UInt32;
  }

  struct Handler {
    name @0 :Text;
    event @1 :Text;
    # Empty: events of any type on topics that match the filter.
    filter @2 :Text;
    # Empty: the event, with any subject.
    group @3 :Text;
    order @4 :Text;
    concurrency @5 :UInt32;
    window @6 :UInt32;
    backlogEvents @7 :UInt64;
    backlogBytes @8 :UInt64;
    overload @9 :Text;
    stallAfterMs @10 :UInt64;
    timeLimitMs @11 :UInt64;
    execution @12 :Text;
    restart @13 :Text;
    quarantine @14 :Text;
    afterDeadLetter @15 :Text;
    retry @16 :Retry;
    handsOver @17 :Bool;
    # It gives its state to the next version.
    cafBehavior @18 :Bool;
  }

  struct Retry {
    firstMs @0 :UInt64;
    factor @1 :Float64;
    capMs @2 :UInt64;
    giveUpAfterMs @3 :UInt64;
    maxCrashes @4 :UInt32;
  }

  struct Setting {
    name @0 :Text;
    type @1 :Text;
    # text, integer, number or flag: the field that holds the default.
    about @2 :Text;
    text @3 :Text;
    integer @4 :Int64;
    number @5 :Float64;
    flag @6 :Bool;
  }
}
