@0xfa03caa0840653b8;
# What an operator's tool asks a node, and what the node answers, over the node's control socket: a
# unix stream socket that only the node's own user and root may speak to.
#
#     message = length (u32, bytes of the body) version (u32, 1) body
#
# Numbers are little-endian; the body is a message in Cap'n Proto's standard form, with its segment
# table. A connection carries one Request of at most 1 MiB, then one Answer of at most
# 32 MiB, and ends. Times are Unix time in milliseconds.
#
# `edupulse` prints answers as JSON under the names that stand here.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("edupulse::control");

struct Request {
  union {
    version @0 :Void;
    status @1 :Void;
    subscriptions @2 :Void;
    pause @3 :Text;
    resume @4 :Text;
    # A subscription.

    deadList @5 :DeadList;
    deadShow @6 :UInt64;
    deadRetry @7 :DeadSelection;
    deadDiscard @8 :DeadSelection;
    counters @9 :Void;
    ledger @10 :Void;
    pluginList @11 :Void;
    pluginLoad @12 :PluginLoad;
    pluginSwap @13 :PluginSwap;
    pluginRollback @14 :Text;
    publish @15 :Publish;
    pluginCrashes @16 :Text;
    # Of a plugin. Empty: of all.
    mirrorList @17 :Void;
    mirrorAdd @18 :MirrorAdd;
    mirrorSwap @19 :MirrorSwap;
    mirrorRemove @20 :Text;
    sourceList @21 :Void;
    sourceAdd @22 :SourceAdd;
    sourceRemove @23 :Text;
    sourcePause @24 :Text;
    sourceResume @25 :Text;
  }
}

struct DeadList {
  subscription @0 :Text;
  # Empty: of all.
  after @1 :UInt64;
  # Letters with a greater id: the last one's, to go on.
  limit @2 :UInt32;
  # At most 1,000 are answered at once.
}

struct DeadSelection {
  union {
    id @0 :UInt64;
    subscription @1 :Text;
    # All of it.
  }
}

struct Publish {
  name @0 :Text;
  # Of an event that the node knows the schema of.
  fields @1 :Text;
  # A JSON object.
  subject @2 :Text;
  key @3 :Text;
  # Empty: as the schema says.
}

struct PluginSetting {
  name @0 :Text;
  value @1 :Text;
}

struct PluginLoad {
  file @0 :Text;
  settings @1 :List(PluginSetting);
}

struct PluginSwap {
  name @0 :Text;
  file @1 :Text;
  settings @2 :List(PluginSetting);
}

struct MirrorAdd {
  name @0 :Text;
  url @1 :Text;
  filter @2 :Text;
  group @3 :Text;
  # Empty: none.
}

struct MirrorSwap {
  name @0 :Text;
  url @1 :Text;
}

struct SourceAdd {
  name @0 :Text;
  url @1 :Text;
}

struct Answer {
  union {
    error @0 :Error;
    done @1 :Done;
    version @2 :NodeVersion;
    status @3 :NodeStatus;
    subscriptions @4 :List(Subscription);
    deadLetters @5 :List(DeadLetter);
    deadLetter @6 :WholeDeadLetter;
    counters @7 :List(Counter);
    ledger @8 :Ledger;
    plugins @9 :List(Plugin);
    plugin @10 :Plugin;
    swapped @11 :Swapped;
    published @12 :Published;
    crashes @13 :List(Crash);
    # The latest first; at most 1,000.
    mirrors @14 :List(Mirror);
    sources @15 :List(Source);
  }
}

struct Error {
  code @0 :Text;
  # As in schemas/error.hpp: not_found, refused, ...
  text @1 :Text;
}

struct Published {
  id @0 :Text;
  unknownFields @1 :UInt32;
  # Of the JSON, which the schema does not have.
}

struct Done {
  count @0 :UInt64;
  # Of what was asked for: letters, subscriptions.
}

struct NodeVersion {
  version @0 :Text;
  compiler @1 :Text;
  capnp @2 :Text;
}

struct NodeStatus {
  name @0 :Text;
  id @1 :Text;
  epoch @2 :UInt64;
  address @3 :Text;
  # Empty: it takes no connections.
  pid @4 :UInt32;
  version @5 :Text;
  members @6 :List(Member);

  struct Member {
    name @0 :Text;
    id @1 :Text;
    epoch @2 :UInt64;
    address @3 :Text;
    state @4 :Text;
    self @5 :Bool;
    connected @6 :Bool;
    keptBytes @7 :UInt64;
    # Of events that it is owed.
  }
}

struct Subscription {
  name @0 :Text;
  filter @1 :Text;
  scope @2 :Text;
  # Empty: one of its own.
  group @3 :Text;
  state @4 :Text;
  pending @5 :UInt64;
  inFlight @6 :UInt64;
  restarts @7 :UInt64;
  why @8 :Text;
  # While it is unavailable: what its handler said.
}

struct Mirror {
  name @0 :Text;
  filter @1 :Text;
  group @2 :Text;
  state @3 :Text;
  # Of its subscription.
  transport @4 :Text;
  where @5 :Text;
  health @6 :Text;
  # unknown, connecting, up or down
  why @7 :Text;
  # When it is down: in the broker's words.
  lag @8 :UInt64;
  # Events that are not confirmed.
  oldestMs @9 :UInt64;
  # Since the oldest of them was published.
}

struct Source {
  name @0 :Text;
  source @1 :Text;
  # The broker's kind.
  where @2 :Text;
  health @3 :Text;
  # connecting, up or down
  why @4 :Text;
  # When it is down: in the broker's words.
  received @5 :UInt64;
  published @6 :UInt64;
  malformed @7 :UInt64;
  # Dead letters of the subscription with the source's name.
  echoes @8 :UInt64;
  # Of this cluster's own mirrors; left out.
  acknowledged @9 :UInt64;
  waiting @10 :UInt64;
  # Read, and not acknowledged.
  lost @11 :UInt64;
  # Gone before they could be received: of core NATS, which does not wait.
  paused @12 :Bool;
}

struct DeadLetter {
  id @0 :UInt64;
  subscription @1 :Text;
  node @2 :Text;
  topic @3 :Text;
  key @4 :Text;
  eventId @5 :Text;
  publisher @6 :Text;
  occurredAtMs @7 :Int64;
  diedMs @8 :Int64;
  reason @9 :Text;
  errorType @10 :Text;
  # Of the last attempt, when it threw.
  redrives @11 :UInt32;
  redriving @12 :Bool;
  attempts @13 :List(Attempt);
  # The first and the last nine.

  struct Attempt {
    endedMs @0 :Int64;
    what @1 :Text;
    errorType @2 :Text;
    text @3 :Text;
  }
}

struct WholeDeadLetter {
  letter @0 :DeadLetter;
  meta @1 :List(Entry);
  struct Entry {
    name @0 :Text;
    value @1 :Text;
  }
  schemaId @2 :UInt64;
  payloadBytes @3 :UInt32;
  payload @4 :Data;
  # A message without a segment table, cut after 4 KiB. Empty where there is JSON.
  payloadJson @5 :Text;
  # Where the node knows the schema.
}

struct Counter {
  name @0 :Text;
  value @1 :UInt64;
}

struct Ledger {
  balances @0 :Bool;
  lines @1 :List(Line);
  struct Line {
    topic @0 :Text;
    subscription @1 :Text;
    received @2 :Bool;
    # Published on another node, whose ledger counts it, too.
    published @3 :UInt64;
    handled @4 :UInt64;
    dead @5 :UInt64;
    expired @6 :UInt64;
    dropped @7 :UInt64;
    pending @8 :UInt64;
    retries @9 :UInt64;
    crashes @10 :UInt64;
    balances @11 :Bool;
  }
}

struct Plugin {
  name @0 :Text;
  version @1 :Text;
  file @2 :Text;
  state @3 :Text;
  handlers @4 :List(Text);
  # The names of its subscriptions.
  canRollBack @5 :Bool;
  previousVersion @6 :Text;
}

struct Swapped {
  from @0 :Text;
  to @1 :Text;
  # Versions.
  removed @2 :List(Text);
  added @3 :List(Text);
  handedOver @4 :List(Text);
  # Handlers: without a successor, new, and those whose state the new version has.
  tookMs @5 :UInt64;
  notHandedOver @6 :List(Text);
  # Handlers whose state was lost on the way, each with why: they began anew.
}

struct Crash {
  event @0 :Text;
  # Its id.
  handler @1 :Text;
  # PLUGIN.HANDLER
  version @2 :Text;
  # Of the plugin: another version may be given the event.
  signal @3 :Text;
  # Of the last time: "Segmentation fault (11)", or how else the process ended.
  lastMs @4 :Int64;
  deaths @5 :UInt32;
  # Of the process, while the handler had the event.
  proven @6 :UInt32;
  # Of them those that were seen to be its own.
  refused @7 :Bool;
  # The handler is not given the event again; else it is suspected.
  backtrace @8 :Text;
  # Empty: nobody saw it.
}
