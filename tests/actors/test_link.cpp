// Two ends of a link and a wire between them that breaks. What is promised: each event arrives once
// for each subscription, in order; each conclusion is counted once; nobody waits for another
// subscription's window.

#include "tests/support/catch.hpp"
#include "tests/support/lossy_wire.hpp"
#include "tests/support/seed.hpp"
#include <cstdlib>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

int rounds(int n) { return std::getenv("EDUPULSE_SOAK") != nullptr ? 100 * n : n; }

std::vector<envelope_ptr> events(std::size_t n, std::size_t bytes = 0) {
  std::vector<envelope_ptr> all;
  for (std::size_t i = 0; i < n; ++i)
    all.push_back(make_event({.payload_bytes = bytes}));
  return all;
}

std::shared_ptr<chunk> chunk_of(std::size_t n) {
  auto made = std::make_shared<chunk>();
  for (std::size_t i = 0; i < n; ++i)
    made->entries.push_back(make_entry(make_event()));
  return made;
}

std::vector<std::string> ids(const std::vector<envelope_ptr>& of) {
  std::vector<std::string> all;
  for (const auto& event : of)
    all.push_back(to_string(event->id()));
  return all;
}

ledger_view view(lossy_wire& wire) {
  return wire.book().snapshot([&](auto&& count) {
    wire.near_end().owed().for_each_owed(
        [&](std::uint32_t index, const envelope& event) { count(index, event.topic()); });
  });
}

} // namespace

TEST_CASE("link: what is published before the first session arrives with it") {
  lossy_wire wire({});
  const auto to = wire.add(1);
  const auto all = events(10);
  wire.publish(all, {to});
  wire.connect();
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100));
  CHECK(wire.at(1).seen == ids(all));
  CHECK(view(wire).balances());
}

TEST_CASE("link: an event that three subscriptions of a peer want crosses once") {
  lossy_wire wire({});
  const std::vector to{wire.add(1), wire.add(2), wire.add(3)};
  wire.connect();
  wire.publish(events(50), to);
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100));
  CHECK(wire.copies == 50);
  for (std::uint32_t remote = 1; remote <= 3; ++remote)
    CHECK(wire.at(remote).seen.size() == 50);
}

TEST_CASE("link: a subscription whose window is full falls behind and delays no other") {
  lossy_wire wire({});
  const std::vector to{wire.add(1, {}, 8), wire.add(2, {}, 1000)};
  wire.at(1).stopped = true;
  wire.connect();
  std::vector<envelope_ptr> all;
  for (int i = 0; i < 20; ++i) {
    const auto some = events(20);
    all.insert(all.end(), some.begin(), some.end());
    wire.publish(some, to);
    wire.step();
  }
  REQUIRE(wire.steps_until([&] { return wire.at(2).seen.size() == 400; }, 100));
  CHECK(wire.at(1).seen.size() == 8);
  wire.at(1).stopped = false;
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 1000));
  CHECK(wire.at(1).seen == ids(all));
  CHECK(wire.at(2).seen == ids(all));
  wire.copies = 0;
  wire.publish(events(5), to); // it has caught up: one copy serves both again
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100));
  CHECK(wire.copies == 5);
}

TEST_CASE("link: more subscriptions of a peer than a run may name are served by several copies") {
  lossy_wire wire({});
  std::vector<std::uint32_t> to;
  for (std::uint32_t remote = 1; remote <= 2 * outgoing_run::most_targets + 1; ++remote)
    to.push_back(wire.add(remote));
  wire.connect();
  const auto all = events(20);
  wire.publish(all, to);
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100));
  CHECK(wire.broken == "");
  CHECK(wire.copies == 3 * 20);
  for (const auto index : to)
    REQUIRE(wire.at(index - 100).seen == ids(all));
}

TEST_CASE("link: a frame is as long as its reader allows, whoever many events are for and however "
          "they travel") {
  for (const std::size_t bytes : {0u, 350u, 300u << 10}) {
    lossy_wire wire({});
    destination::settings large;
    large.overload.bytes = large.window_bytes = 64u << 20;
    std::vector<std::uint32_t> to;
    for (std::uint32_t remote = 1; remote <= outgoing_run::most_targets; ++remote)
      to.push_back(wire.add(remote, large));
    wire.connect();
    const auto until = wire.now() + 1h; // each is a run of its own
    std::vector<envelope_ptr> all;
    for (std::size_t i = 0; i < 32; ++i) {
      all.push_back(make_event({.payload_bytes = bytes, .expires_at = until}));
      all.push_back(make_event({.payload_bytes = bytes}));
    }
    wire.publish(all, to);
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 1000));
    CHECK(wire.broken == "");
    CHECK(wire.copies == all.size());
    for (const auto index : to)
      REQUIRE(wire.at(index - 100).seen == ids(all));
  }
}

TEST_CASE("link: a cut in the middle loses nothing and repeats nothing") {
  lossy_wire wire({.conclude_chance = 0.3});
  const auto to = wire.add(1);
  wire.connect();
  const auto all = events(200);
  wire.publish(all, {to});
  for (int i = 0; i < 3; ++i)
    wire.step();
  wire.cut();
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 1000));
  CHECK(wire.at(1).seen == ids(all));
  CHECK(wire.broken.empty());
}

TEST_CASE("link: when a peer starts anew, what it had not concluded is sent again from the start") {
  lossy_wire wire({.conclude_chance = 0.5});
  const auto to = wire.add(1);
  wire.connect();
  const auto all = events(100);
  wire.publish(all, {to});
  for (int i = 0; i < 4; ++i)
    wire.step();
  const auto concluded = view(wire).total();
  REQUIRE(concluded.pending > 0);
  REQUIRE(concluded.pending < 100);
  wire.near_end().owed().restart();
  wire.near_end().owed().check();
  CHECK(view(wire).total().pending == concluded.pending);
  CHECK(view(wire).balances());
}

TEST_CASE("link: what the peer's new start has not announced yet is no part of its resume, though "
          "another has its number now") {
  ledger book;
  effect_list out;
  const time_point now{1h};
  outbox box({});
  auto all = chunk_of(5);
  box.open({.index = 1, .remote = 1, .name = "old@far"}, book, now);
  box.offer({all, 0, 5, 0}, std::vector{1u}, now, out);
  box.restart();
  box.open({.index = 2, .remote = 1, .name = "new@far"}, book, now);
  box.offer({all, 0, 5, 0}, std::vector{2u}, now, out);
  REQUIRE(box.next_frame(now).size() == 1);
  REQUIRE(box.resume(std::vector<outbox::expectation>{{1, 6}}));
  CHECK(box.next_frame(now).empty());
  box.rebind(1, 2, 8, 4096);
  const auto runs = box.next_frame(now);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].events.size() == 5);
  CHECK(runs[0].targets[0].remote == 2);
  CHECK(runs[0].targets[0].dseq == 1);
}

TEST_CASE("link: a peer that stands still is stalled after its time, and it alone misses events") {
  lossy_wire wire({});
  destination::settings small;
  small.overload = {.events = 16, .stall_after = 200ms};
  const std::vector to{wire.add(1, small), wire.add(2)};
  wire.at(1).stopped = true;
  wire.connect();
  wire.publish(events(16), to);
  wire.steps_until([&] { return false; }, 400);
  REQUIRE(wire.near_end().owed().find(to[0])->stalled());
  wire.publish(events(10), to);
  REQUIRE(wire.steps_until([&] { return wire.at(2).seen.size() == 26; }, 100));
  const auto before = view(wire);
  CHECK(before.of_subscription("s1@far").dropped_for(drop_reason::shed_stalled) == 10);
  wire.at(1).stopped = false;
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 400));
  wire.publish(events(1), to);
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 400));
  CHECK(wire.at(1).missed == 10);
  CHECK(wire.at(1).seen.size() == 17);
  CHECK(view(wire).balances());
}

TEST_CASE("link: what a policy drops is counted, and the subscriber is told how much it missed") {
  for (const auto policy : {overload_policy::drop_newest, overload_policy::drop_oldest,
                            overload_policy::latest_per_key}) {
    lossy_wire wire({});
    destination::settings small;
    small.overload = {.policy = policy, .events = 32};
    const auto to = wire.add(1, small);
    std::vector<envelope_ptr> all;
    for (int i = 0; i < 300; ++i)
      all.push_back(make_event({.key = "k" + std::to_string(i % 7)}));
    wire.publish(all, {to}); // before there is a session
    wire.connect();
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 400));
    wire.publish(events(1), {to});
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 400));
    const auto total = view(wire).total();
    CHECK(total.dropped_in_all() == 301 - wire.at(1).seen.size());
    CHECK(wire.at(1).missed == total.dropped_in_all());
    CHECK(wire.at(1).seen.size() <= 33);
    CHECK(view(wire).balances());
  }
}

TEST_CASE("link: a gap that was told in a frame which a cut took is told again, with its event") {
  lossy_wire wire({.conclude_chance = 0});
  destination::settings small;
  small.overload = {.policy = overload_policy::drop_newest, .events = 4};
  const auto to = wire.add(1, small);
  wire.publish(events(6), {to}); // two too many
  wire.connect();
  REQUIRE(wire.steps_until([&] { return wire.frames == 1; }, 100));
  wire.cut();
  REQUIRE(wire.at(1).seen.empty());
  for (int i = 0; i < 2; ++i) { // and what has arrived is told no more
    wire.connect();
    wire.steps_until([&] { return false; }, 100);
    CHECK(wire.at(1).seen.size() == 4);
    CHECK(wire.at(1).missed == 2);
    wire.cut();
  }
}

TEST_CASE("link: a gap that a peer's earlier start was told is told to the next, with its event") {
  ledger book;
  effect_list out;
  const time_point now{1h};
  outbox box({});
  auto all = chunk_of(6);
  destination::settings small{.index = 1, .remote = 1, .name = "reader@far"};
  small.overload = {.policy = overload_policy::drop_newest, .events = 4};
  box.open(small, book, now);
  box.offer({all, 0, 6, 0}, std::vector{1u}, now, out);
  for (std::uint32_t remote : {1u, 2u}) { // its number at one start, and at the next
    const auto runs = box.next_frame(now);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].targets[0].remote == remote);
    CHECK(runs[0].targets[0].missed == 2);
    box.restart();
    box.rebind(1, remote + 1, 8, 4096);
  }
}

TEST_CASE(
    "G2: an event takes what is left of its time along to a peer, also one that had to wait") {
  std::vector<time_point> ends;
  lossy_wire wire({.on_deliver = [&](const link_effects::deliver& what) {
    for (auto i = what.events.begin; i < what.events.end; ++i)
      ends.push_back(what.events.events->entries[i].event->expires_at());
  }});
  const auto to = wire.add(1, {}, 1);
  const auto end = wire.now() + 10s;
  wire.at(1).stopped = true;
  wire.publish({make_event({.expires_at = end}), make_event({.expires_at = end})}, {to});
  wire.connect();
  for (int i = 0; i < 3000; ++i)
    wire.step();
  CHECK(ends.size() == 1);
  wire.at(1).stopped = false;
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100));
  REQUIRE(ends.size() == 2);
  for (const auto one : ends) { // rounded up to a millisecond, and later by the way it took
    CHECK(one >= end);
    CHECK(one <= end + 5ms);
  }
}

TEST_CASE("G29: events that are sent together have each its own level, and its own time to live") {
  ledger book;
  effect_list out;
  const time_point now{1h};
  outbox box({});
  using enum delivery_level;
  const std::vector<std::pair<delivery_level, duration>> each{
      {acknowledged, 0s}, {acknowledged, 1s}, {best_effort, 0s}, {acknowledged, 0s}};
  auto all = std::make_shared<chunk>();
  for (const auto& [level, lives] : each)
    all->entries.push_back(make_entry(
        make_event({.level = level, .expires_at = lives > 0s ? now + lives : time_point::max()})));
  box.open({.index = 1, .remote = 1, .name = "reader@far"}, book, now);
  box.offer({all, 0, 4, 0}, std::vector{1u}, now, out);
  std::vector<std::pair<delivery_level, duration>> sent;
  for (const auto& run : box.next_frame(now))
    sent.insert(sent.end(), run.events.size(), {run.level, run.expires_in});
  CHECK(sent == each);
}

TEST_CASE("link: a peer that takes nothing for ten seconds is cut, one that has nothing to take "
          "is not") {
  link::effects io;
  effect_list out;
  ledger book;
  edupulse::link one({});
  time_point now{1h};
  one.owed().open({.index = 1, .remote = 1, .name = "s@far"}, book, now);
  one.on_session(now, io);
  REQUIRE(one.on_resume({}, now, io));
  const auto is_cut = [&](duration after) {
    io.clear();
    one.on_tick(now += after, out, io);
    return std::any_of(io.begin(), io.end(), [](const link_effect& what) {
      return std::holds_alternative<link_effects::cut>(what);
    });
  };
  CHECK_FALSE(is_cut(1h));
  auto all = chunk_of(1);
  one.owed().offer({all, 0, 1, 0}, std::vector{1u}, now, out);
  CHECK_FALSE(is_cut(1ms));
  CHECK_FALSE(is_cut(9s));
  REQUIRE(one.on_taken({}, now)); // nothing new: more of the frame has come there
  CHECK_FALSE(is_cut(9s));
  CHECK(is_cut(2s));
}

TEST_CASE("link: a line is not cut for being slow: what takes half a minute to arrive arrives") {
  lossy_wire wire({.bytes_per_ms = 20});
  destination::settings large;
  large.overload.bytes = large.window_bytes = 64u << 20;
  const auto to = wire.add(1, large);
  wire.connect();
  auto all = events(1, 600u << 10);
  for (const auto& event : events(40, 10u << 10))
    all.push_back(event);
  wire.publish(all, {to});
  REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100'000));
  CHECK(wire.cuts == 0);
  CHECK(wire.at(1).seen == ids(all));
}

namespace {

/// A session, and a subscription of this side that may be sent events.
void bring_up(edupulse::link& one, time_point now) {
  link::effects io;
  one.received().open(7, 8192);
  one.on_session(now, io);
  REQUIRE(one.on_resume({}, now, io));
}

} // namespace

TEST_CASE("link: conclusions are told with the turn that brings them, though not too often, unless "
          "many wait") {
  link::effects io;
  effect_list out;
  edupulse::link one({});
  time_point now{1h};
  bring_up(one, now);
  auto all = chunk_of(1024);
  std::vector<incoming_run> runs(1);
  runs[0].events.events = all;
  runs[0].events.end = 1024;
  runs[0].targets.resize(1);
  runs[0].targets[0].remote = 7;
  runs[0].targets[0].dseq = 1;
  REQUIRE(one.on_events(std::move(runs), io));
  const auto told = [&](duration after, std::uint64_t first, std::uint64_t count) {
    io.clear();
    if (count > 0)
      one.received().concluded({7, first, count, fate::handled, {}});
    one.on_tick(now += after, out, io);
    std::uint64_t sum = 0;
    for (const auto& what : io)
      if (const auto* said = std::get_if<link_effects::send_control>(&what))
        if (const auto* numbered = std::get_if<link_numbered>(&said->what))
          for (const auto& run : std::get<std::vector<ack_run>>(numbered->what))
            sum += run.count;
    return sum;
  };
  CHECK(told(1s, 1, 1) == 1);
  CHECK(told(10us, 2, 100) == 0);
  CHECK(one.next_deadline() == now - 10us + 1ms);
  CHECK(told(10us, 102, 411) == 0);
  CHECK(told(10us, 513, 1) == 512); // as many as go at once
  CHECK(told(249us, 514, 1) == 0);
  CHECK(told(1us, 515, 1) == 2);
  CHECK(told(1us, 516, 1) == 0);
  CHECK(told(999us, 0, 0) == 1);
}

TEST_CASE("link: how far it has read is said with every eighth frame and with a tick, and not with "
          "each conclusion") {
  link::effects io;
  effect_list out;
  edupulse::link one({});
  time_point now{1h};
  bring_up(one, now);
  const auto all = chunk_of(1);
  std::size_t numbered = 0;
  const auto taken_after = [&](std::uint64_t dseq) -> std::uint64_t { // frames, as it is said
    std::vector<incoming_run> runs(1);
    runs[0].events = {all, 0, 1, 0};
    runs[0].targets = {{7, dseq, 0}};
    REQUIRE(one.on_events(std::move(runs), io));
    one.received().concluded({7, dseq, 1, fate::handled, {}});
    io.clear();
    one.flush(now += 1ms, io);
    std::uint64_t frames = 0;
    for (const auto& what : io) {
      const auto& said = std::get<link_effects::send_control>(what).what;
      numbered += std::holds_alternative<link_numbered>(said);
      if (const auto* taken = std::get_if<link_taken>(&said))
        frames = taken->frames;
    }
    return frames;
  };
  for (std::uint64_t dseq = 1; dseq < 8; ++dseq)
    CHECK(taken_after(dseq) == 0);
  CHECK(taken_after(8) == 8);
  CHECK(taken_after(9) == 0);
  CHECK(numbered == 9);
  io.clear();
  one.on_tick(now += 100ms, out, io);
  REQUIRE(io.size() == 1);
  const auto& said = std::get<link_effects::send_control>(io[0]).what;
  CHECK(std::get<link_taken>(said).frames == 9);
}

TEST_CASE("link: a peer that breaks the rules is an error that says how") {
  link::effects io;
  effect_list out;
  ledger book;
  edupulse::link one({});
  const time_point now{1h};
  one.owed().open({.index = 1, .remote = 1, .name = "s@far"}, book, now);
  one.received().open(7, 4);
  auto some = chunk_of(8);
  const auto events_for = [&](std::uint32_t to, std::uint64_t dseq, std::uint32_t n) {
    std::vector<incoming_run> runs(1);
    runs[0].events = slice{some, 0, n, 0};
    runs[0].targets.push_back({to, dseq, 0});
    return one.on_events(std::move(runs), io);
  };
  CHECK_FALSE(events_for(7, 1, 1)); // before the session began
  one.on_session(now, io);
  CHECK_FALSE(one.on_numbered({1, std::vector<ack_run>{}}, now, out, io));
  CHECK_FALSE(one.on_resume({9, {}}, now, io));
  CHECK_FALSE(one.on_resume({0, {{1, 2}}}, now, io)); // expects what was never sent
  REQUIRE(one.on_resume({}, now, io));
  CHECK_FALSE(one.on_resume({}, now, io));
  CHECK_FALSE(events_for(8, 1, 1)); // never announced
  CHECK_FALSE(events_for(7, 2, 1)); // a gap
  CHECK_FALSE(events_for(7, 0, 1));
  CHECK_FALSE(events_for(7, 1, 5)); // more than the window
  REQUIRE(events_for(7, 1, 4));
  CHECK_FALSE(events_for(7, 5, 1));
  REQUIRE(events_for(7, 3, 2)); // a repeat is no offence
  CHECK_FALSE(one.on_taken({.control = 1}, now));
  CHECK_FALSE(one.on_taken({.frames = 1}, now));
  CHECK_FALSE(one.on_numbered({2, std::vector<ack_run>{}}, now, out, io)); // a gap
  const auto conclude = [&](std::uint64_t first, std::uint64_t count) {
    return one.on_numbered({1, std::vector<ack_run>{{1, first, count, fate::handled, {}}}}, now,
                           out, io);
  };
  CHECK_FALSE(conclude(1, 1));
  edupulse::link other({});
  other.owed().open({.index = 1, .remote = 1, .name = "s@far"}, book, now);
  for (const auto& [first, count] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 1}, {1, 0}, {1, ~std::uint64_t{0}}, {~std::uint64_t{0}, 2}})
    CHECK_FALSE(other.owed().find(1)->conclude(first, count, fate::handled, {}, now, out));
}

TEST_CASE("link: a resume names nobody who was withdrawn and can be sent nothing any more") {
  lossy_wire wire({});
  wire.connect();
  for (std::uint32_t wave = 0; wave < 200; ++wave) {
    std::vector<std::uint32_t> to;
    for (std::uint32_t remote = 100 * wave; remote < 100 * (wave + 1); ++remote)
      to.push_back(wire.add(remote));
    wire.publish(events(1), to);
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 100));
    for (const auto index : to)
      wire.withdraw(index - 100);
  }
  wire.steps_until([&] { return false; }, 200);
  wire.cut();
  wire.connect();
  REQUIRE(wire.steps_until([&] { return wire.near_end().is_up(); }, 100));
  CHECK(wire.broken == "");
}

namespace {

/// The two ends of a session, of which one (`at`) has 20,000 subscriptions that have all had an
/// event; what they say to each other goes as frames.
struct many_subscriptions {
  many_subscriptions() {
    std::vector<std::uint32_t> all;
    for (std::uint32_t number = 1; number <= count; ++number) {
      const auto name = "s" + std::to_string(number);
      book.name_subscription(number, name);
      from.owed().open({.index = number, .remote = number, .name = name}, book, now);
      at.received().open(number, 8);
      all.push_back(number);
    }
    auto one = chunk_of(1);
    begin();
    from.owed().offer({one, 0, 1, 0}, all, now, out);
  }
  void begin() {
    from.on_session(now, from_io);
    at.on_session(now, at_io);
    talk();
  }
  void talk() {
    while (!from_io.empty() || !at_io.empty()) {
      for (auto& what : std::exchange(at_io, {}))
        hears(from, what, from_io);
      for (auto& what : std::exchange(from_io, {}))
        hears(at, what, at_io);
    }
  }
  void hears(edupulse::link& who, link_effect& what, link::effects& io) {
    const auto* said = std::get_if<link_effects::send_control>(&what);
    if (said == nullptr)
      return;
    frame_bytes bytes;
    append_frame(bytes, said->what);
    REQUIRE(bytes.size() <= link_limits::control_bytes);
    REQUIRE(who.on_resume(std::get<link_resume>(decode_control(body_of(bytes)).value()), now, io));
    ++resumes;
  }
  /// Sends and takes all there is; how many events of how many subscriptions were new.
  std::size_t deliver() {
    std::size_t fresh = 0;
    for (auto runs = from.owed().next_frame(now); !runs.empty();
         runs = from.owed().next_frame(now)) {
      std::vector<incoming_run> in;
      for (auto& run : runs)
        in.push_back({run.events, run.targets});
      REQUIRE(at.on_events(std::move(in), at_io));
      fresh += at_io.size();
      at_io.clear();
    }
    return fresh;
  }

  static constexpr std::uint32_t count = 20'000;
  const time_point now{1h};
  ledger book;
  effect_list out;
  edupulse::link from{link::settings{}};
  edupulse::link at{link::settings{}};
  link::effects from_io;
  link::effects at_io;
  int resumes = 0;
};

} // namespace

TEST_CASE("G22: a session begins however many subscriptions have had events from the peer, and "
          "nothing is sent to any of them twice") {
  many_subscriptions with;
  CHECK(with.resumes == 2);
  CHECK(with.deliver() == with.count);
  with.from.on_session_lost(with.now);
  with.at.on_session_lost(with.now);
  with.begin();
  CHECK(with.resumes == 2 + 1 + 3);
  CHECK(with.from.is_up());
  CHECK(with.at.is_up());
  CHECK(with.deliver() == 0);
}

TEST_CASE("link: a session whose resume goes on is not up before its last part, and says its own "
          "second part only to a peer that has spoken") {
  many_subscriptions with;
  with.deliver();
  with.from.on_session_lost(with.now);
  with.at.on_session_lost(with.now);
  with.at.on_session(with.now, with.at_io);
  REQUIRE(with.at_io.size() == 1);
  const auto first =
      std::get<link_resume>(std::get<link_effects::send_control>(with.at_io[0]).what);
  CHECK(first.more);
  with.from.on_session(with.now, with.from_io);
  REQUIRE(with.from.on_resume(first, with.now, with.from_io));
  CHECK_FALSE(with.from.is_up());
  link_resume endless = first;
  endless.expected.assign(std::size_t{1} << 18, {1, 1});
  CHECK_FALSE(with.from.on_resume(endless, with.now, with.from_io));
}

TEST_CASE("link: what was sent to a subscription before its end was heard of is answered") {
  link::effects io;
  edupulse::link one({});
  const time_point now{1h};
  one.received().open(7, 8);
  auto all = chunk_of(1);
  const auto comes = [&](std::uint64_t dseq) {
    std::vector<incoming_run> runs(1);
    runs[0].events.events = all;
    runs[0].events.end = 1;
    runs[0].targets.push_back({7, dseq, 0});
    return one.on_events(std::move(runs), io);
  };
  const auto expected = [&] {
    one.on_session_lost(now);
    io.clear();
    one.on_session(now, io);
    const auto said = std::get<link_resume>(std::get<link_effects::send_control>(io[0]).what);
    REQUIRE(one.on_resume({}, now, io));
    return said.expected;
  };
  const auto took = [](std::uint64_t next) { return std::vector<inbound::expectation>{{7, next}}; };
  CHECK(expected().empty()); // who is not named has had nothing
  REQUIRE(comes(1));
  one.received().concluded({7, 1, 1, fate::handled, {}});
  CHECK(expected() == took(2));
  one.carry({});
  one.close(7); // with control message 2, behind the conclusion
  REQUIRE(one.on_taken({.control = 1}, now));
  CHECK(expected() == took(2)); // the peer may not have heard of it
  one.flush(now, io);
  REQUIRE(one.on_taken({.control = 2}, now));
  REQUIRE(comes(2)); // was on its way, on the other connection
  CHECK(one.received().take_acks(9) ==
        std::vector<ack_run>{{7, 2, 1, fate::dropped, drop_reason::unsubscribed}});
  CHECK(expected().empty());
  CHECK_FALSE(comes(3));
}

TEST_CASE(
    "G2: what an ended subscription still concludes is told, though its end has been heard of") {
  inbound from;
  from.open(7, 8);
  REQUIRE(from.accept(7, 1, 2));
  from.close(7, 5);
  from.forget(5);
  const ack_run both{7, 1, 2, fate::handled, {}};
  from.concluded(both);
  CHECK(from.take_acks(9) == std::vector{both});
  from.forget(5);
  CHECK_FALSE(from.is_open(7));
}

TEST_CASE("link: a peer that confirms nothing of what it is told is cut before that is too much") {
  link::effects io;
  edupulse::link one({.kept_controls = 4});
  const time_point now{1h};
  one.on_session(now, io);
  REQUIRE(one.on_resume({}, now, io));
  const auto is_cut = [&] {
    one.carry({});
    one.flush(now, io);
    return std::holds_alternative<link_effects::cut>(io.back());
  };
  for (int kept = 1; kept <= 4; ++kept)
    CHECK_FALSE(is_cut());
  CHECK(is_cut());
}

TEST_CASE("link: conclusions in any order, with repeats, are counted once each") {
  const auto seed = random_numbers().seed();
  random_source chance(seed);
  for (int round = 0; round < rounds(50); ++round) {
    ledger book;
    effect_list out;
    const time_point now{1h};
    destination one({.index = 1, .remote = 1, .name = "s@far"}, book, now);
    book.name_subscription(1, "s@far");
    auto all = chunk_of(100);
    REQUIRE(one.offer({all, 0, 100, 0}, 100 * all->entries[0].footprint, now, out));
    REQUIRE(one.send(all, 0, 60).dseq == 1);
    REQUIRE(one.send(all, 60, 100).dseq == 61);
    std::set<std::uint64_t> concluded;
    for (int i = 0; i < 200; ++i) {
      const auto first = 1 + chance.next() % 100;
      const auto count = std::min<std::uint64_t>(1 + chance.next() % 9, 101 - first);
      REQUIRE(one.conclude(first, count, fate::handled, {}, now, out));
      for (auto dseq = first; dseq < first + count; ++dseq)
        concluded.insert(dseq);
      one.check(0);
      REQUIRE(one.owed() == 100 - concluded.size());
      REQUIRE(one.in_flight() == 100 - concluded.size());
    }
  }
}

TEST_CASE("link: under cuts at any moment each event arrives once, in order, and is counted once") {
  const auto seed = random_numbers().seed();
  for (int round = 0; round < rounds(1000); ++round) {
    random_source chance(seed + static_cast<std::uint64_t>(round));
    INFO("round " << round);
    lossy_wire wire(lossy_wire::random_trouble(chance));
    std::vector<std::uint32_t> all_targets;
    std::map<std::uint32_t, std::vector<std::string>> wanted;
    const auto subscriptions = 1 + chance.next() % 4;
    for (std::uint32_t remote = 1; remote <= subscriptions; ++remote)
      all_targets.push_back(wire.add(remote, {}, 1 + chance.next() % 40));
    for (int burst = 0; burst < 20; ++burst) {
      std::vector<std::uint32_t> targets;
      for (const auto index : all_targets)
        if (chance.unit() < 0.7)
          targets.push_back(index);
      const auto some = events(1 + chance.next() % 30);
      if (targets.empty())
        continue;
      for (const auto index : targets)
        for (const auto& id : ids(some))
          wanted[index - 100].push_back(id);
      wire.publish(some, targets);
      for (auto steps = chance.next() % 10; steps > 0; --steps)
        wire.step();
    }
    wire.stop_breaking();
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 20'000));
    REQUIRE(wire.broken == "");
    for (const auto& [remote, ids_of_it] : wanted)
      REQUIRE(wire.at(remote).seen == ids_of_it);
    REQUIRE(view(wire).balances());
    REQUIRE(view(wire).total().pending == 0);
  }
}

TEST_CASE("link: under cuts at any moment each event that a policy drops is told once") {
  const auto seed = random_numbers().seed();
  constexpr overload_policy policies[] = {overload_policy::wait, overload_policy::drop_newest,
                                          overload_policy::drop_oldest,
                                          overload_policy::latest_per_key};
  std::uint64_t told = 0;
  for (int round = 0; round < rounds(500); ++round) {
    random_source chance(seed + static_cast<std::uint64_t>(round));
    INFO("round " << round);
    lossy_wire wire(lossy_wire::random_trouble(chance));
    std::vector<std::uint32_t> to;
    for (std::uint32_t remote = 1; remote <= 3; ++remote) {
      destination::settings small;
      small.overload = {.policy = policies[chance.next() % 4], .events = 8 + chance.next() % 32};
      to.push_back(wire.add(remote, small, 1 + chance.next() % 40));
    }
    const auto publish = [&](std::size_t n) {
      std::vector<envelope_ptr> some;
      for (std::size_t i = 0; i < n; ++i)
        some.push_back(make_event({.key = "k" + std::to_string(chance.next() % 5),
                                   .level = delivery_level::best_effort}));
      wire.publish(some, to);
    };
    for (int burst = 0; burst < 20; ++burst) {
      publish(1 + chance.next() % 30);
      for (auto steps = chance.next() % 10; steps > 0; --steps)
        wire.step();
    }
    wire.stop_breaking();
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 20'000));
    publish(1); // what is told of last
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 20'000));
    REQUIRE(wire.broken == "");
    REQUIRE(view(wire).balances());
    for (std::uint32_t remote = 1; remote <= 3; ++remote) {
      const auto dropped =
          view(wire).of_subscription("s" + std::to_string(remote) + "@far").dropped_in_all();
      REQUIRE(wire.at(remote).missed == dropped);
      told += dropped;
    }
  }
  CHECK(told > 0);
}

TEST_CASE("link: subscriptions come and go under cuts, and no side takes that for a mistake") {
  const auto seed = random_numbers().seed();
  for (int round = 0; round < rounds(300); ++round) {
    random_source chance(seed + static_cast<std::uint64_t>(round));
    INFO("round " << round);
    lossy_wire wire(lossy_wire::random_trouble(chance));
    std::vector<std::uint32_t> here;
    for (std::uint32_t remote = 1; remote <= 60; ++remote) {
      here.push_back(wire.add(remote, {}, 1 + chance.next() % 40));
      if (here.size() > 4) {
        const auto gone = here.begin() + static_cast<std::ptrdiff_t>(chance.next() % here.size());
        wire.withdraw(*gone - 100);
        here.erase(gone);
      }
      wire.publish(events(1 + chance.next() % 10), here);
      for (auto steps = chance.next() % 10; steps > 0; --steps)
        wire.step();
    }
    wire.stop_breaking();
    REQUIRE(wire.steps_until([&] { return wire.quiet(); }, 20'000));
    REQUIRE(wire.broken == "");
    REQUIRE(view(wire).balances());
  }
}
