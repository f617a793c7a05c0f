// Consumer groups: one router, members here and on peers that the tests play, and nothing between.
// Groups in a cluster that breaks are in test_cluster.cpp.

#include "actors/router.hpp"
#include "actors/trace.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <cstring>
#include <numeric>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

using numbers = std::vector<std::uint64_t>;

struct silent_tracker final : tracker {};
silent_tracker somebody;

subscription_options of_group(const std::string& group = "indexers") {
  subscription_options options;
  options.group = group;
  return options;
}

/// A router, its shell, and the nodes it talks to.
class rig {
public:
  explicit rig(std::string name = "here") : core({.node_name = std::move(name)}) {}

  // -- subscriptions here ----------------------------------------------------------------
  expected<std::uint32_t> subscribe(const std::string& name,
                                    const subscription_options& options = of_group(),
                                    const std::string& filter = "lesson.>") {
    auto which = core.subscribe(name, *topic_filter::parse(filter), options, now, asked);
    carry_out();
    return which;
  }
  void unsubscribe(const std::string& name) {
    REQUIRE(core.unsubscribe(core.find(name).value(), now, asked));
    carry_out();
  }
  /// Its actor has finished the call it was in, and is gone.
  void gone(const std::string& name) {
    const auto which = core.find(name).value();
    sent[which].clear();
    core.on_handler_down(which, 0, generations[which], exit_kind::shutdown, "gone", now, asked);
    carry_out();
  }
  /// Both, for handlers that are in no call.
  void end(const std::string& name) {
    unsubscribe(name);
    gone(name);
  }
  /// Handles what was dispatched, at most `most` events; answers their numbers.
  numbers work(const std::string& name, std::size_t most = 1'000'000) {
    numbers done;
    const auto which = core.find(name).value();
    while (!sent[which].empty() && most > 0) {
      const auto batch = sent[which].front();
      sent[which].pop_front();
      for (std::uint32_t i = 0; i < batch->size(); ++i)
        done.push_back(number_of(*batch->event(i)));
      most -= std::min<std::size_t>(most, batch->size());
      batch->halt(batch->size());
      core.on_report(batch, now, asked);
      carry_out();
    }
    return done;
  }
  /// The handler is in the middle of the first event that it was given.
  void begin(const std::string& name) { sent[core.find(name).value()].front()->begin(0); }

  // -- events ----------------------------------------------------------------------------
  numbers publish(const std::vector<std::string>& keys,
                  delivery_level level = delivery_level::acknowledged) {
    numbers all;
    auto events = std::make_shared<chunk>();
    for (const auto& key : keys) {
      all.push_back(++last_number);
      auto event = make_event({.key = key, .number = last_number});
      envelope_writer::set_travel(event, level, time_point::max(), &somebody);
      events->entries.push_back(make_entry(std::move(event)));
    }
    core.on_events(events, now, asked);
    carry_out();
    return all;
  }
  numbers publish_of(const std::string& key, std::size_t n = 1) {
    return publish(std::vector<std::string>(n, key));
  }
  static std::uint64_t number_of(const envelope& event) {
    const auto id = to_string(event.id());
    return std::stoull(id.substr(id.size() - 12), nullptr, 16);
  }

  // -- peers -----------------------------------------------------------------------------
  struct far {
    std::uint32_t id = 0;
    std::uint64_t control = 0;
    std::uint64_t interest = 0;
    std::map<std::uint32_t, numbers> got; ///< by its subscription, in order of `dseq` from 1
    std::uint64_t missed = 0;             ///< events that it was told it was not given
    std::size_t copies = 0;
  };
  far& peer(const std::string& name) {
    auto [at, is_new] = peers.try_emplace(name);
    if (is_new) {
      at->second.id = core.add_peer(name, {}, now, asked).value();
      connect(name);
    }
    return at->second;
  }
  void connect(const std::string& name, const link_resume& what = {}) {
    core.on_session(peers.at(name).id, now, asked);
    core.on_control(peers.at(name).id, link_control(what), now, asked);
    carry_out();
  }
  void restart(const std::string& name) {
    auto& which = peers.at(name);
    const auto id = which.id;
    core.on_session_lost(which.id, now, asked);
    core.restart_peer(which.id, now, asked);
    which = far();
    which.id = id;
    connect(name);
  }
  void lose_session(const std::string& name) {
    core.on_session_lost(peers.at(name).id, now, asked);
    carry_out();
  }
  /// Its node is believed dead.
  void dies(const std::string& name) {
    lose_session(name);
    core.on_peer_dead(peers.at(name).id, now, asked);
    carry_out();
  }
  void wait(duration how_long) {
    core.on_wake(now += how_long, asked);
    carry_out();
  }
  void announce(const std::string& at, std::vector<announced_subscription> added,
                std::vector<std::uint32_t> removed = {}) {
    auto& which = peer(at);
    tell(which, encode({++which.interest, std::move(added), std::move(removed)}));
  }
  static announced_subscription member(std::uint32_t number, const std::string& name,
                                       const std::string& group = "indexers") {
    const subscription_options o;
    return {number,
            name,
            *topic_filter::parse("lesson.>"),
            backlog_of(o),
            o.backlog_events,
            o.backlog_bytes,
            group,
            o.order};
  }
  /// Events [first, first + count) of its subscription have ended so.
  void conclude(const std::string& at, std::uint32_t number, std::uint64_t first,
                std::uint64_t count, fate how = fate::handled, drop_reason why = {}) {
    tell(peer(at), std::vector<ack_run>{{number, first, count, how, why}});
  }
  void remove(const std::string& name) {
    core.remove_peer(peers.at(name).id, drop_reason::unsubscribed, now, asked);
    carry_out();
  }

  // -- looking ---------------------------------------------------------------------------
  /// The books balance, and each event was settled at most once.
  void check() const {
    core.check();
    CHECK(core.ledger_snapshot().balances());
    for (const auto& [number, how] : settled)
      CHECK(how.size() == 1);
  }
  std::uint64_t dropped(const std::string& name, drop_reason why) const {
    return core.ledger_snapshot().of_subscription(name).dropped_for(why);
  }

  time_point now{1h};
  router core;
  std::map<std::uint32_t, std::deque<batch_ptr>> sent;
  std::map<std::uint32_t, std::uint32_t> generations;
  std::map<std::string, far> peers;
  std::map<std::uint64_t, std::vector<fate>> settled; ///< by the event's number
  std::vector<std::uint32_t> owed;                    ///< as trackers were told
  std::vector<std::string> said;                      ///< about groups
  std::uint64_t last_number = 0;

private:
  void tell(far& from, decltype(link_numbered::what) what) {
    core.on_control(from.id, link_numbered{++from.control, std::move(what)}, now, asked);
    carry_out();
  }
  void receive(const effects::to_peer& what) {
    const auto* frame = std::get_if<link_effects::send_events>(&what.what->what);
    if (const auto* cut = std::get_if<link_effects::cut>(&what.what->what))
      FAIL("cut: " << cut->why);
    if (frame == nullptr)
      return;
    auto& to = std::find_if(peers.begin(), peers.end(), [&](const auto& one) {
                 return one.second.id == what.peer;
               })->second;
    for (const auto& run : frame->runs) {
      to.copies += run.events.size();
      for (const auto& target : run.targets) {
        to.missed += target.missed;
        for (auto i = run.events.begin; i < run.events.end; ++i) {
          auto& line = to.got[target.remote];
          REQUIRE(target.dseq + (i - run.events.begin) == line.size() + 1);
          line.push_back(number_of(*run.events.events->entries[i].event));
        }
      }
    }
    core.on_written(what.peer, now, asked);
  }
  void carry_out() {
    while (!asked.empty())
      for (auto& what : std::exchange(asked, {})) {
        if (const auto* start = std::get_if<effects::start_handler>(&what)) {
          generations[start->subscription] = start->generation;
          core.on_handler_up(start->subscription, start->lane, start->generation, now, asked);
        } else if (const auto* given = std::get_if<effects::dispatch>(&what)) {
          sent[given->work->subscription].push_back(given->work);
        } else if (const auto* told = std::get_if<effects::to_peer>(&what)) {
          receive(*told);
        } else if (const auto* ended = std::get_if<effects::acknowledge>(&what)) {
          core.acknowledge(*ended, now, asked);
        } else if (const auto* over = std::get_if<effects::unsubscribed>(&what)) {
          core.withdraw(*over, now, asked);
        } else if (const auto* settle = std::get_if<effects::settle>(&what)) {
          settled[number_of(*settle->event)].push_back(settle->how);
        } else if (const auto* routed = std::get_if<effects::routed>(&what)) {
          owed.push_back(routed->owed);
        } else if (std::holds_alternative<effects::reassigned>(what) ||
                   std::holds_alternative<effects::member_refused>(what)) {
          said.push_back(trace_line(what, core, now));
        }
      }
    core.check();
  }

  effect_list asked;
};

numbers joined(std::initializer_list<numbers> parts) {
  numbers all;
  for (const auto& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

numbers sorted(numbers what) {
  std::sort(what.begin(), what.end());
  return what;
}

numbers up_to(std::uint64_t last) {
  numbers all(last);
  std::iota(all.begin(), all.end(), 1);
  return all;
}

std::vector<std::string> different_keys(std::size_t n) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < n; ++i)
    keys.push_back("k" + std::to_string(i));
  return keys;
}

} // namespace

// -- one of them --------------------------------------------------------------------------------

TEST_CASE("G25: each event of a group goes to one member, and a receipt and `ready` count one") {
  rig at;
  for (const char* name : {"a", "b"})
    REQUIRE(at.subscribe(name));
  at.announce("far", {rig::member(7, "c")});
  REQUIRE(at.subscribe("alone", {}));
  CHECK(at.core.count_matching("lesson.published") == 2);
  at.publish(different_keys(300));
  for (int i = 0; i < 100; ++i)
    at.publish_of("", 3);
  const auto c = at.peers.at("far").got[7];
  const auto a = at.work("a");
  const auto b = at.work("b");
  CHECK(at.work("alone") == up_to(600));
  CHECK(sorted(joined({a, b, c})) == up_to(600));
  for (const auto& share : {a, b, c})
    CHECK(share.size() > 150);
  CHECK(at.owed == std::vector<std::uint32_t>(600, 2));
  at.conclude("far", 7, 1, c.size());
  CHECK(at.core.owed() == 0);
  for (const auto& [number, how] : at.settled)
    CHECK(how == std::vector{fate::handled, fate::handled}); // the group, and "alone"
  CHECK(at.settled.size() == 600);
  CHECK(at.core.ledger_snapshot().balances());
}

TEST_CASE("G25: two groups and a subscription that want one event get one copy of it on a peer") {
  rig at;
  at.announce("far", {rig::member(1, "a", "first"), rig::member(2, "b", "second"),
                      rig::member(3, "alone", "")});
  CHECK(at.core.count_matching("lesson.published") == 3);
  at.publish(different_keys(10));
  auto& far = at.peers.at("far");
  CHECK(far.copies == 10);
  for (const auto number : {1u, 2u, 3u})
    CHECK(far.got[number] == up_to(10));
}

TEST_CASE("G25: an event without a key goes to the member with the fewest open ones, in turns "
          "among equals") {
  rig at;
  for (const char* name : {"a", "b", "c"})
    REQUIRE(at.subscribe(name));
  at.publish_of("", 3);
  CHECK(at.work("a").size() == 1);
  CHECK(at.work("b").size() == 1);
  at.publish_of("", 2); // c has one
  CHECK(at.work("c").size() == 1);
  CHECK(at.work("a").size() == 1);
  CHECK(at.work("b").size() == 1);
  at.publish_of("", 3); // one each
  CHECK(at.work("a").size() == 1);
  at.publish_of("", 2);
  CHECK(at.work("a").size() == 2); // "b" and "c" have one to conclude
  at.work("b");
  at.work("c");
  std::map<std::string, std::size_t> shares;
  for (int i = 0; i < 30; ++i) {
    at.publish_of("");
    for (const char* name : {"a", "b", "c"})
      shares[name] += at.work(name).size();
  }
  for (const auto& [name, n] : shares)
    CHECK(n == 10);
}

// -- keys ---------------------------------------------------------------------------------------

TEST_CASE("G26: a key stays with one member, and two publishers choose the same one") {
  rig at;
  rig elsewhere("there"); // the same two members, seen from the other node
  REQUIRE(at.subscribe("a"));
  at.announce("there", {rig::member(1, "b")});
  REQUIRE(elsewhere.subscribe("b"));
  elsewhere.announce("here", {rig::member(1, "a")});
  const auto keys = different_keys(100);
  at.publish(keys);
  const auto first = at.work("a");
  at.publish(keys);
  auto second = at.work("a");
  for (auto& number : second)
    number -= 100;
  CHECK(first == second);
  CHECK(first.size() > 25);
  CHECK(first.size() < 75);
  elsewhere.publish(keys);
  CHECK(elsewhere.peers.at("here").got[1] == first);
}

TEST_CASE("G26: a new member takes over keys without events on their way, and no others") {
  rig at;
  REQUIRE(at.subscribe("a"));
  const auto keys = different_keys(100);
  at.publish(keys); // all on their way, at "a"
  REQUIRE(at.subscribe("b"));
  at.publish(keys);
  CHECK(at.work("b").empty());
  CHECK(at.work("a") == up_to(200));
  at.publish(keys);
  const auto moved = at.work("b");
  CHECK(moved.size() > 25);
  CHECK(moved.size() < 75);
  CHECK(sorted(joined({at.work("a"), moved})).size() == 100);
  REQUIRE(at.subscribe("c")); // takes some from each, and none of theirs moves between them
  at.publish(keys);
  for (const auto number : at.work("b"))
    CHECK(std::count(moved.begin(), moved.end(), number - 100) == 1);
  at.check();
}

TEST_CASE("G26: keys are forgotten with their last event") {
  rig at;
  REQUIRE(at.subscribe("a"));
  const auto n = at.publish(different_keys(50)).size();
  CHECK(n == 50);
  at.work("a");
  REQUIRE(at.subscribe("b"));
  at.publish(different_keys(50));
  CHECK(at.work("a").size() < 50); // a key that were still held would not have moved
  CHECK_FALSE(at.work("b").empty());
}

// -- members that go ----------------------------------------------------------------------------

TEST_CASE("G27: what a member had not handled when it was unsubscribed is handled by the others, "
          "in order, and settled once") {
  rig at;
  REQUIRE(at.subscribe("a"));
  at.publish({"x", "y", "x", "y", "x"});
  REQUIRE(at.subscribe("b"));
  at.begin("a");
  at.unsubscribe("a");
  at.publish({"x", "z"}); // x is held by "a", which is in the middle of it
  CHECK(at.work("b") == numbers{7});
  CHECK(at.settled.size() == 1);
  at.gone("a"); // the call it was in failed with it: 1 may have been handled, or half
  CHECK(at.said == std::vector<std::string>{"reassigned group=indexers from=a@here n=6 to_others"});
  CHECK(at.work("b") == numbers{1, 2, 3, 4, 5, 6});
  CHECK(at.settled.size() == 7);
  CHECK(at.dropped("a", drop_reason::reassigned) == 6);
  const auto b = at.core.ledger_snapshot().of_subscription("b");
  CHECK(b.published == 7);
  CHECK(b.handled == 7);
  at.check();
}

TEST_CASE(
    "G27: what a member was sent and owed goes to the others when its node is gone for good") {
  rig at;
  auto first = rig::member(1, "a");
  first.window_events = 3;
  at.announce("far", {first});
  at.publish(different_keys(10)); // three are sent, seven wait
  CHECK(at.peers.at("far").got[1] == numbers{1, 2, 3});
  at.conclude("far", 1, 2, 1);
  REQUIRE(at.subscribe("b"));
  at.lose_session("far");
  CHECK(at.work("b").empty()); // it may come back
  at.remove("far");
  CHECK(at.work("b") == numbers{1, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(at.settled.size() == 10);
  CHECK(at.core.owed() == 0);
  at.check();
}

TEST_CASE(
    "G27: when a peer unsubscribes a member, what it drops is not lost, and moves at its end") {
  rig at;
  at.announce("far", {rig::member(1, "a")});
  at.publish({"x", "x", "x", "y"});
  REQUIRE(at.subscribe("b"));
  at.conclude("far", 1, 3, 2, fate::dropped, drop_reason::unsubscribed);
  CHECK(at.settled.empty());
  at.publish({"x", "new"}); // x is still in its handler there
  CHECK(at.work("b") == numbers{6});
  at.conclude("far", 1, 1, 1);
  at.announce("far", {}, {1});
  CHECK(at.work("b") == numbers{2, 3, 4, 5});
  CHECK(at.settled.size() == 6);
  for (const auto& [number, how] : at.settled)
    CHECK(how == std::vector{fate::handled});
  at.check();
}

TEST_CASE("G27: a member whose node starts anew keeps what it was owed") {
  rig at;
  at.announce("far", {rig::member(1, "a")});
  at.publish(different_keys(10));
  REQUIRE(at.subscribe("b"));
  at.conclude("far", 1, 1, 4);
  at.restart("far");
  CHECK(at.work("b").empty());
  at.announce("far", {rig::member(5, "a")});
  CHECK(at.peers.at("far").got[5] == numbers{5, 6, 7, 8, 9, 10});
  CHECK(at.said.empty());
  at.publish(different_keys(10));
  CHECK_FALSE(at.work("b").empty());
  at.check();
}

TEST_CASE("G27: a member that its node's new start does not name leaves what it was owed") {
  rig at;
  at.announce("far", {rig::member(1, "a")});
  at.publish(different_keys(5));
  REQUIRE(at.subscribe("b"));
  at.restart("far");
  SECTION("it is not there") { at.announce("far", {}); }
  SECTION("it is alone now") { at.announce("far", {rig::member(1, "a", "")}); }
  SECTION("it is of another group") { at.announce("far", {rig::member(1, "a", "others")}); }
  CHECK(at.work("b") == up_to(5));
  CHECK(at.peers.at("far").got[1].empty());
  at.check();
}

TEST_CASE(
    "G27: events of a group that nobody is left of are kept until somebody joins, and nothing "
    "new is owed meanwhile") {
  rig at;
  REQUIRE(at.subscribe("a"));
  at.publish({"x", "y", "x"});
  at.end("a");
  CHECK(at.said.back() == "reassigned group=indexers from=a@here n=3 kept");
  CHECK(at.core.count_matching("lesson.published") == 0);
  CHECK(at.core.owed() == 3);
  CHECK(at.core.ledger_snapshot().of_subscription("(group indexers)").pending == 3);
  at.publish({"x"});
  CHECK(at.owed.back() == 0);
  at.check();
  REQUIRE(at.subscribe("b"));
  at.publish({"x"});
  CHECK(at.work("b") == numbers{1, 2, 3, 5});
  CHECK(at.core.owed() == 0);
  at.check();
}

TEST_CASE("G27: what is kept for nobody goes to a member that was believed dead, once it is back") {
  rig at;
  at.announce("far", {rig::member(1, "b")});
  REQUIRE(at.subscribe("a"));
  at.dies("far");
  at.publish({"x", "y", "x"});
  at.end("a");
  CHECK(at.said.back() == "reassigned group=indexers from=a@here n=3 kept");
  at.connect("far");
  CHECK(at.peers.at("far").got[1] == numbers{1, 2, 3});
  at.conclude("far", 1, 1, 3);
  CHECK(at.core.owed() == 0);
  at.check();
}

TEST_CASE("G27: what is kept for nobody has the bounds of the group's backlog; the rest is dropped "
          "and settled") {
  rig at;
  auto options = of_group();
  options.backlog_events = 4;
  options.overload = overload_policy::drop_newest;
  for (const char* name : {"a", "b"})
    REQUIRE(at.subscribe(name, options));
  at.publish_of("", 6); // three each
  at.end("a");
  at.publish_of(""); // "b" is full with what "a" has left, and has dropped the sixth
  CHECK(at.dropped("b", drop_reason::drop_newest) == 3);
  at.end("b");
  CHECK(at.core.owed() == 4);
  at.check();
  REQUIRE(at.subscribe("c", options, "lesson.unpublished")); // not what it wants
  CHECK(at.core.owed() == 0);
  CHECK(at.dropped("(group indexers)", drop_reason::unsubscribed) == 4);
  CHECK(at.settled.size() == 7);
  at.check();
}

TEST_CASE("G27: a member that takes long to end is owed no more than its backlog") {
  rig at;
  auto options = of_group();
  options.backlog_events = 4;
  REQUIRE(at.subscribe("a", options));
  at.publish_of("x", 2);
  REQUIRE(at.subscribe("b", options));
  at.begin("a");
  at.unsubscribe("a");
  at.publish_of("x", 5); // of a key that it holds
  CHECK(at.dropped("a", drop_reason::unsubscribed) == 3);
  at.gone("a");
  CHECK(at.work("b") == numbers{1, 2, 3, 4});
  CHECK(at.settled.size() == 7);
  at.check();
}

TEST_CASE("G12, G27: a key whose events are on their way at a member believed dead waits there, in "
          "its backlog and no further") {
  rig at;
  auto options = of_group();
  options.backlog_events = 4;
  options.overload = GENERATE(overload_policy::wait, overload_policy::strict);
  auto first = rig::member(1, "a");
  first.overload = backlog_of(options);
  at.announce("far", {first});
  at.publish_of("x", 2);
  REQUIRE(at.subscribe("b", options));
  at.dies("far");
  at.publish_of("x", 5);
  at.publish_of("y"); // of which nothing is on its way
  CHECK(at.work("b") == numbers{8});
  CHECK(at.dropped("a@far", drop_reason::shed_stalled) == 3);
  CHECK(at.core.owed() == 4);
  SECTION("it comes back") {
    at.connect("far", {1, {{1, 3}}, 0, 0});
    const auto& got = at.peers.at("far").got[1];
    CHECK(got == numbers{1, 2, 3, 4});
    at.conclude("far", 1, 1, 4);
    while (got.size() == 4) {
      at.publish_of("k" + std::to_string(at.last_number));
      at.work("b");
    }
    CHECK(at.peers.at("far").missed == 3); // it is told so
    at.conclude("far", 1, 5, 1);
  }
  SECTION("it does not") {
    at.wait(61s);
    CHECK(at.work("b") == numbers{1, 2, 3, 4});
  }
  CHECK(at.core.owed() == 0);
  CHECK(at.settled.size() == at.last_number);
  at.check();
}

TEST_CASE("G27: two full members that go leave what one backlog holds") {
  rig at;
  auto options = of_group();
  options.backlog_events = 4;
  for (const char* name : {"a", "b"})
    REQUIRE(at.subscribe(name, options));
  at.publish_of("", 8);
  at.unsubscribe("a");
  at.unsubscribe("b");
  at.gone("a");
  at.gone("b");
  CHECK(at.core.owed() == 4);
  CHECK(at.dropped("(group indexers)", drop_reason::unsubscribed) == 4);
  CHECK(at.settled.size() == 4);
  at.check();
}

TEST_CASE("G27: what is best effort and may have been handled is not tried by another member") {
  rig at;
  auto first = rig::member(1, "a");
  first.window_events = 2;
  at.announce("far", {first});
  at.publish({"x", "x", "x", "x"}, delivery_level::best_effort);
  REQUIRE(at.subscribe("b"));
  at.remove("far");
  CHECK(at.work("b") == numbers{3, 4});
  CHECK(at.dropped("a@far", drop_reason::unsubscribed) == 2);
  at.check();
}

TEST_CASE("G20, G27: a node that stops drops what is kept, and what its members leave") {
  rig at;
  REQUIRE(at.subscribe("a"));
  at.publish_of("x", 2);
  at.end("a");
  REQUIRE(at.subscribe("b", of_group("others")));
  at.publish_of("x", 3);
  effect_list asked;
  at.core.stop(at.now, asked);
  CHECK(at.dropped("(group indexers)", drop_reason::stopped) == 2);
  at.gone("b");
  CHECK(at.dropped("b", drop_reason::stopped) == 3);
  CHECK(at.core.owed() == 0);
  CHECK(at.core.ledger_snapshot().balances());
}

TEST_CASE("G16, G27: a redriven dead letter is not another member's") {
  rig at;
  REQUIRE(at.subscribe("a"));
  REQUIRE(at.subscribe("b"));
  dead_letter letter;
  letter.id = 1;
  letter.subscription = "a";
  letter.event = make_event({.key = "x"});
  effect_list asked;
  REQUIRE(at.core.redrive(letter, at.now, asked));
  at.end("a");
  CHECK(at.work("b").empty());
  CHECK(at.core.owed() == 0);
  at.check();
}

// -- members that differ ------------------------------------------------------------------------

TEST_CASE("groups: a subscription that differs from the members is refused with both values") {
  rig at;
  REQUIRE(at.subscribe("a"));
  const auto difference = [&](subscription_options options, const std::string& filter) {
    const auto got = at.subscribe("b", options, filter);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::invalid_option);
    const auto& text = got.error().text;
    const auto from = text.find(": ") + 2;
    return text.substr(from, text.find(". Give") - from);
  };
  auto strict = of_group();
  strict.order = event_order::strict;
  CHECK(difference(strict, "lesson.>") == "`order` is keyed at 'a@here' and strict at 'b@here'");
  CHECK(difference(of_group(), "lesson.*") ==
        "`filter` is lesson.> at 'a@here' and lesson.* at 'b@here'");
  auto slow = of_group();
  slow.stall_after = 5s;
  CHECK(difference(slow, "lesson.>") ==
        "`stall_after` is 2000 ms at 'a@here' and 5000 ms at 'b@here'");
  auto small = of_group();
  small.backlog_events = 10;
  CHECK(difference(small, "lesson.>") == "`backlog_events` is 8192 at 'a@here' and 10 at 'b@here'");
  auto light = of_group();
  light.backlog_bytes = 2048;
  CHECK(difference(light, "lesson.>") ==
        "`backlog_bytes` is 4194304 at 'a@here' and 2048 at 'b@here'");
  auto newest = of_group();
  newest.overload = overload_policy::drop_newest;
  CHECK(difference(newest, "lesson.>") ==
        "`overload` is wait at 'a@here' and drop_newest at 'b@here'");
  auto parallel = of_group(); // what only concerns the member may differ
  parallel.concurrency = 4;
  parallel.time_limit = 1s;
  CHECK(at.subscribe("b", parallel));
}

TEST_CASE("groups: a member on a peer that differs is not used, which is said, until the others "
          "are gone") {
  rig at;
  REQUIRE(at.subscribe("a"));
  auto odd = rig::member(1, "b");
  odd.overload.events = 10;
  at.announce("far", {odd});
  REQUIRE(at.said.size() == 1);
  CHECK(at.said[0] ==
        "member_refused b@far group=indexers why=\"the members of group 'indexers' differ: "
        "`backlog_events` is 8192 at 'a@here' and 10 at 'b@far'. Give all members one value, or "
        "another group\"");
  at.publish(different_keys(20));
  CHECK(at.peers.at("far").got[1].empty());
  at.end("a");
  CHECK(at.peers.at("far").got[1] == up_to(20));
  CHECK_FALSE(at.subscribe("c")); // now it is the others that differ
  at.check();
}

TEST_CASE("groups: a name that is too long or no text is refused") {
  rig at;
  CHECK(at.subscribe("a", of_group(std::string(256, 'x'))).error().code == errc::invalid_option);
  CHECK(at.subscribe("a", of_group("\xff")).error().code == errc::invalid_option);
  auto news = rig::member(1, "a", "\xff");
  CHECK(decode_interest(encode({1, {news}, {}})).error().code == errc::malformed);
  news.group = std::string(256, 'x');
  CHECK(decode_interest(encode({1, {news}, {}})).error().code == errc::malformed);
  news.group = "indexers";
  news.order = event_order::strict;
  const auto read = decode_interest(encode({1, {news}, {}}));
  REQUIRE(read);
  CHECK(read->added[0].group == "indexers");
  CHECK(read->added[0].order == event_order::strict);
}

// -- by chance ----------------------------------------------------------------------------------

namespace {

/// Members come, go and work, and events are published, by the dice.
class lottery {
public:
  explicit lottery(std::uint64_t seed) : chance_(seed) { join(); }

  void play(int turns) {
    for (; turns > 0; --turns) {
      const auto dice = chance_.unit();
      if (dice < 0.05)
        join();
      else if (dice < 0.1 && members_.size() > 1)
        end(anybody());
      else if (dice < 0.6)
        publish();
      else
        note(at_.work(anybody(), 1 + chance_.next() % 4));
    }
    for (const auto& name : members_)
      note(at_.work(name));
  }
  void check() {
    REQUIRE(at_.core.owed() == 0);
    at_.check();
    for (const auto& [key, all] : published_) {
      REQUIRE(sorted(seen_[key]) == all);
      if (!key.empty())
        REQUIRE(seen_[key] == all);
    }
  }

private:
  void join() {
    members_.push_back("m" + std::to_string(born_++));
    REQUIRE(at_.subscribe(members_.back()));
  }
  void end(const std::string name) {
    if (!at_.sent[at_.core.find(name).value()].empty() && chance_.unit() < 0.5)
      at_.begin(name);
    at_.unsubscribe(name);
    publish(); // while it is leaving
    at_.gone(name);
    std::erase(members_, name);
  }
  void publish() {
    std::vector<std::string> keys;
    for (auto n = 1 + chance_.next() % 6; n > 0; --n) {
      keys.push_back(chance_.unit() < 0.3 ? "" : "k" + std::to_string(chance_.next() % 4));
      const auto number = at_.last_number + keys.size();
      key_of_[number] = keys.back();
      published_[keys.back()].push_back(number);
    }
    at_.publish(keys);
  }
  void note(const numbers& done) {
    for (const auto number : done)
      if (once_.insert(number).second)
        seen_[key_of_[number]].push_back(number);
  }
  const std::string& anybody() { return members_[chance_.next() % members_.size()]; }

  rig at_;
  random_source chance_;
  std::vector<std::string> members_;
  int born_ = 0;
  std::map<std::uint64_t, std::string> key_of_;
  std::map<std::string, numbers> published_; ///< by key
  std::map<std::string, numbers> seen_;      ///< first handlings, by key
  std::set<std::uint64_t> once_;
};

} // namespace

TEST_CASE("G26, G27: members that come and go by chance lose nothing, and keys stay in order") {
  const auto seed = random_numbers().seed();
  for (std::uint64_t round = 0; round < 200; ++round) {
    INFO("round " << round);
    lottery game(seed + round);
    game.play(100);
    game.check();
  }
}
