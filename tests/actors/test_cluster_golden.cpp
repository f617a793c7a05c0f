// Golden conversations between nodes: what their cores say to each other, word for word, in virtual
// time. Each script below is played, and what was said is compared with
// tests/golden/cluster/NAME.trace. Read the files first: they are the protocol, by example; the
// bytes of it are in tests/golden/wire.

#include "schemas/overloaded.hpp"
#include "tests/support/cluster_record.hpp"
#include "tests/support/lossy_wire.hpp"
#include "tests/support/sim_membership.hpp"
#include "tests/support/sim_switchboard.hpp"
#include <set>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

const std::filesystem::path golden_dir =
    std::filesystem::path(EDUPULSE_SOURCE_DIR) / "tests/golden/cluster";

// -- switchboards -----------------------------------------------------------------------------

/// Switchboards whose every word and effect is recorded. node0 is a cluster of one already; the
/// others are told its address when they start.
class recorded_switchboards {
public:
  explicit recorded_switchboards(sim_switchboard::settings how)
      : record({"node0", "node1", "node2"}) {
    record.stand_in(frame_kind::control, "resume");
    record.stand_in(frame_kind::events, "events");
    how.begin_with = 1;
    how.delay_max = 2ms;
    how.on_write = [this](auto from, auto to, const frame_bytes& bytes) {
      record.at(sim->now());
      record.frames(from, to, bytes);
    };
    how.on_effect = [this](auto who, const switchboard_effect& what) {
      if (sim)
        record.at(sim->now());
      note(who, what);
    };
    sim.emplace(how);
    record.call(to_string(sim->core(0).members().self().node), "node0");
    sim->run_for(300ms);
    record.begin(sim->now());
  }
  void start(std::size_t who, duration how_long) {
    record.say("node" + std::to_string(who) + " is started");
    sim->start(who);
    record.call(to_string(sim->core(who).members().self().node), "node" + std::to_string(who));
    sim->run_for(how_long);
    REQUIRE(sim->broken() == "");
  }

  cluster_record record;
  std::optional<sim_switchboard> sim;

private:
  void note(std::size_t who, const switchboard_effect& what) {
    namespace asks = switchboard_effects;
    std::visit(overloaded{
                   [&](const asks::dial& e) { record.note(who, "dials " + e.address); },
                   [&](const asks::close& e) { record.note(who, "hangs up: " + e.why); },
                   [&](const asks::session_up& e) {
                     record.note(who, "session " + std::to_string(e.with.number) + " with " +
                                          e.with.who.name + " is up");
                   },
                   [&](const asks::session_lost& e) {
                     record.note(who, "the session with " + e.with.who.name + " is over: " + e.why);
                   },
                   [&](const asks::notice& e) { record.note(who, "log: " + e.text); },
                   [&](const membership_effects::changed& e) { record.note(who, e); },
                   [&](const membership_effects::self_changed& e) { record.note(who, e); },
                   [](const auto&) {}, // a write is recorded as what it says
               },
               what);
  }
};

text_lines hello() {
  recorded_switchboards with({.nodes = 3, .profiles = {{2, "wan"}}});
  with.start(1, 50ms);
  with.start(2, 400ms);
  return with.record.lines();
}

text_lines join() {
  recorded_switchboards with({.nodes = 3});
  with.start(1, 400ms);
  with.record.begin(with.sim->now());
  with.start(2, 300ms);
  CHECK(with.sim->all_connected());
  return with.record.lines();
}

// -- membership -------------------------------------------------------------------------------

text_lines suspect_and_refute() {
  cluster_record record({"node0", "node1", "node2"});
  std::optional<sim_membership> sim;
  sim_options how;
  how.on_effect = [&](std::size_t who, const membership_effect& what) {
    if (!sim)
      return;
    record.at(sim->now());
    if (const auto* sent = std::get_if<membership_effects::send>(&what))
      for (std::size_t to = 0; to < sim->size(); ++to)
        if (sim->id(to).node == sent->to)
          record.frame(who, to, frame_kind::membership, sent->bytes);
    if (const auto* changed = std::get_if<membership_effects::changed>(&what))
      record.note(who, *changed);
  };
  sim.emplace(how);
  for (std::size_t who = 0; who < sim->size(); ++who)
    record.call(to_string(sim->id(who).node), "node" + std::to_string(who));
  sim->form();
  sim->run_for(3s);
  record.begin(sim->now());
  record.say("node2 stands still for 2.5 s");
  sim->pause(2, 2500ms);
  sim->run_for(2499ms);
  record.say("node2 goes on");
  sim->run_for(1s);
  CHECK(sim->all_agree());
  CHECK(sim->false_deaths() == 0);
  return record.lines();
}

// -- links ------------------------------------------------------------------------------------

/// Two links, near and far, with one subscription at the far end whose handler is done with an
/// event in the millisecond in which it comes.
class recorded_link {
public:
  recorded_link() : record({"near", "far"}) {
    lossy_wire::settings how;
    how.delay_max = duration(0); // what is said arrives with the next step
    how.on_frame = [this](bool by_near, const frame_bytes& bytes) {
      record.at(wire->now());
      record.frames(by_near ? 0 : 1, by_near ? 1 : 0, bytes);
      if (static_cast<frame_kind>(bytes[4]) == frame_kind::events)
        last_events_ = bytes;
    };
    how.on_deliver = [this](const link_effects::deliver& what) {
      record.at(wire->now());
      const auto first = what.events.first_seq;
      record.note(1, "hands on " + range(first, first + what.events.size() - 1));
    };
    wire.emplace(how);
    record.publisher(make_node_id(1, 2));
    record.begin(wire->now());
    index_ = wire->add(1);
  }
  void connect() {
    record.say("a session begins");
    wire->connect();
  }
  void cut() {
    record.say("the session is cut, and what was on its way is lost");
    wire->cut();
  }
  void publish(std::size_t count) {
    std::vector<envelope_ptr> events;
    const auto first = published_ + 1;
    for (std::size_t i = 0; i < count; ++i) {
      events.push_back(make_event({.number = ++published_}));
      record.call(to_string(events.back()->id()), "e" + std::to_string(published_));
    }
    record.say("near publishes " + range(first, published_));
    wire->publish(events, {index_});
  }
  void pass(int milliseconds) {
    for (int i = 0; i < milliseconds; ++i)
      wire->step();
    record.at(wire->now());
    record.note(0, "owes " + std::to_string(wire->near_end().owed().owed()));
  }
  /// As from a sender that did not listen to `resume`.
  void say_last_events_again() {
    record.say("the last events come once more");
    link::effects asked;
    auto runs = decode_events(body_of(last_events_), make_node_id(1, 2), wire->now(), {});
    REQUIRE(wire->far_end().on_events(std::move(runs.value()), asked));
    CHECK(asked.empty());
    record.note(1, "has seen them, and hands on nothing; repeats so far: " +
                       std::to_string(wire->far_end().received().repeats()));
  }

  cluster_record record;
  std::optional<lossy_wire> wire;

private:
  static std::string range(std::uint64_t first, std::uint64_t last) {
    return "e" + std::to_string(first) + (last > first ? " to e" + std::to_string(last) : "");
  }

  frame_bytes last_events_;
  std::uint32_t index_ = 0;
  std::uint64_t published_ = 0;
};

text_lines reconnect_and_resend() {
  recorded_link with;
  with.connect();
  with.pass(2);
  with.publish(3);
  with.pass(2);
  with.publish(1);
  with.pass(1); // e4 is done, and the word of that on its way
  with.publish(2);
  with.cut();
  with.publish(1);
  with.pass(0);
  with.connect();
  with.pass(2);
  with.say_last_events_again();
  CHECK(with.wire->broken == "");
  return with.record.lines();
}

// -- ------------------------------------------------------------------------------------------

struct script {
  const char* name;
  text_lines (*play)();
};

constexpr script scripts[] = {
    {"hello", hello},
    {"join", join},
    {"suspect_and_refute", suspect_and_refute},
    {"reconnect_and_resend", reconnect_and_resend},
};

} // namespace

TEST_CASE("golden conversations: what nodes say to each other is what tests/golden/cluster says") {
  for (const auto& [name, play] : scripts)
    DYNAMIC_SECTION(name) {
      check_golden(golden_dir / (std::string(name) + ".trace"), play(), "test_cluster_golden");
    }
}

TEST_CASE("golden conversations: every file of tests/golden/cluster is played by a script") {
  std::set<std::string> played;
  for (const auto& one : scripts)
    played.insert(std::string(one.name) + ".trace");
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir))
    CHECK(played.contains(entry.path().filename().string()));
}
