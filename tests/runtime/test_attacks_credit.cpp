// Attacks on a running node by members that forge numbers or play with credit. After each the node
// serves an honest member as before, and its log and counters say what was wrong.

#include "actors/interest.hpp"
#include "tests/support/events.hpp"
#include "tests/support/rogue_attack.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t half = std::uint64_t{1} << 63;

frame_bytes events_of(node_id publisher, std::size_t count, outgoing_run::target to,
                      std::uint64_t number = 0) {
  auto events = std::make_shared<chunk>();
  for (std::size_t i = 0; i < count; ++i)
    events->entries.push_back(make_entry(
        make_event({.name = "student.enrolled", .number = number, .publisher = publisher})));
  std::vector<outgoing_run> runs(1);
  runs[0].events = {events, 0, static_cast<std::uint32_t>(count), 0};
  runs[0].targets = {to};
  frame_bytes frame;
  append_frame(frame, runs);
  return frame;
}

/// A node with a subscription, number 0, to what only rogues publish.
class credit_attack {
public:
  credit_attack() {
    subscription_options few;
    few.backlog_events = 16;
    REQUIRE(at.a.subscribe(
        "student.enrolled", "rolls", [this](const envelope&) { ++enrolled; }, few));
  }
  /// The session ends, and that is counted.
  template <class F> void ends_session(F attack) { test::ends_session(at, ++number_, attack); }
  /// And the log says why.
  template <class F> void ends_session(std::string_view why, F attack) {
    at.until_said(why, [&] { ends_session(attack); });
    at.serves();
  }
  static void publish(rogue_member& who, std::size_t count, outgoing_run::target to,
                      std::uint64_t number = 0) {
    const auto frame = events_of(who.who.node, count, to, number);
    who.bulk.send(std::as_bytes(std::span(frame)));
  }

  std::atomic<int> enrolled{0};
  attacked at;

private:
  std::uint64_t number_ = 10;
};

announced_subscription wish() {
  announced_subscription one;
  one.number = 1;
  one.name = "sponge";
  one.filter = topic_filter::parse("quiz.submitted").value();
  return one;
}
interest_message interest_of(std::vector<announced_subscription> added) {
  interest_message what;
  what.version = 1;
  what.added = std::move(added);
  return what;
}

} // namespace

TEST_CASE("G66: events under numbers that are not their turn end the session, and nothing that "
          "others publish is taken for a repeat of them") {
  credit_attack with;
  for (const auto number : {std::uint64_t{0}, std::uint64_t{2}, half, UINT64_MAX})
    with.ends_session("when 1 was due", [&](auto& who) { with.publish(who, 3, {0, number, 0}); });
  CHECK(with.enrolled == 0);
  // The id of somebody else's event, three times over: they are this member's own, and three.
  rogue_member who(with.at.a.address(), 9);
  with.publish(who, 3, {0, 1, half}, 7);
  eventually([&] { return with.enrolled == 3; });
  rogue_member other(with.at.a.address(), 10);
  with.publish(other, 1, {0, 1, UINT64_MAX}, 7);
  eventually([&] { return with.enrolled == 4; });
  with.at.serves();
}

TEST_CASE("G66: a member that sends more than a subscription's window loses its session") {
  credit_attack with;
  const auto rolls = with.at.a.find("rolls");
  REQUIRE(subscription(*rolls).pause());
  with.ends_session("more than the window", [&](auto& who) {
    with.publish(who, 16, {0, 1, 0});
    with.publish(who, 1, {0, 17, 0});
  });
  REQUIRE(subscription(*rolls).resume());
}

TEST_CASE("G66: a window or backlog of nothing, or of more than there can be, ends the session of "
          "who announces it") {
  credit_attack with;
  const auto announces = [&](auto change) {
    auto one = wish();
    change(one);
    const auto bytes = encode(interest_of({one}));
    CHECK_FALSE(decode_interest(bytes));
    with.ends_session([&](auto& who) { who.numbered(bytes); });
  };
  for (const std::uint64_t value : {std::uint64_t{0}, half, UINT64_MAX}) {
    announces([&](auto& one) { one.window_events = value; });
    announces([&](auto& one) { one.window_bytes = value; });
    announces([&](auto& one) { one.overload.events = value; });
    announces([&](auto& one) { one.overload.bytes = value; });
  }
  announces([](auto& one) { one.overload.stall_after = 0ms; });
  announces([](auto& one) { one.overload.stall_after = 24h * 365; });
  CHECK(with.at.said.has("that no subscription may have"));
  with.at.serves();
}

TEST_CASE(
    "G66: conclusions of more than was sent, before it was sent, or that wrap around, end the "
    "session and settle nothing") {
  credit_attack with;
  const auto concludes = [&](std::uint64_t first, std::uint64_t count) {
    with.ends_session("was never sent", [&](auto& who) {
      auto one = wish();
      one.name += std::to_string(first) + "-" + std::to_string(count);
      who.numbered(encode(interest_of({one})));
      who.numbered(std::vector<ack_run>{{1, first, count, fate::handled, {}}});
    });
  };
  for (const auto& [first, count] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {1, 1}, {0, 1}, {1, 0}, {half, half}, {UINT64_MAX, 1}, {1, UINT64_MAX}, {UINT64_MAX, 2}})
    concludes(first, count);
}

TEST_CASE("G66: withdrawing what was not announced, one number twice, and interest from the future "
          "end the session") {
  credit_attack with;
  with.ends_session("withdraws a subscription", [&](auto& who) {
    auto what = interest_of({wish()});
    what.removed = {7};
    who.numbered(encode(what));
  });
  with.ends_session("announces one subscription twice", [&](auto& who) {
    who.numbered(encode(interest_of({wish(), wish()})));
  });
  with.ends_session("interest jumps", [&](auto& who) {
    auto what = interest_of({wish()});
    what.version = half;
    who.numbered(encode(what));
  });
}
