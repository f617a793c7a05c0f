// Two routers that ask each other for their ledgers, without the routers: what is said, how much of
// it at once, and what happens to those who ask or answer too much.

#include "actors/inquiries.hpp"
#include "actors/peers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/in_flight.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t other = 7; // to each the other one is peer 7

ledger_view long_ledger(std::size_t lines) {
  ledger_view all;
  all.topics.push_back({"t", lines, 0});
  for (std::size_t i = 0; i < lines; ++i) {
    ledger_line one;
    one.topic = "t";
    one.subscription = std::string(200, 's') + std::to_string(i) + "@b";
    one.published = i + 3;
    one.handled = i;
    one.dropped[8] = 1;
    one.pending = 2;
    all.lines.push_back(std::move(one));
  }
  return all;
}

/// One asks, the other one answers; what they say travels as bytes when the test says so.
struct pair_of_nodes {
  expected<void> ask(std::uint64_t query, duration patience = 1s) {
    return asker.begin(query, {"a", {}}, {{other, "b", true}}, now + patience, now, said);
  }
  /// What `a` or `b` has said since, as the frames' messages.
  std::vector<link_control> take(effect_list& from) {
    std::vector<link_control> all;
    for (auto& what : std::exchange(from, {})) {
      if (auto* told = std::get_if<effects::ledgers>(&what))
        answers[told->query] = merge(std::move(told->told), std::move(told->silent));
      unanswered += std::holds_alternative<effects::unanswered_ask>(what);
      unknown += std::holds_alternative<effects::unknown_answer>(what);
      const auto* sent = std::get_if<effects::to_peer>(&what);
      if (sent == nullptr)
        continue;
      frame_bytes frame;
      append_frame(frame, std::get<link_effects::send_control>(sent->what->what).what);
      largest = std::max(largest, frame.size());
      all.push_back(decode_control(body_of(frame)).value());
    }
    return all;
  }
  void answer(const link_ask& what) {
    answerer.on_ask(
        other, what, [&] { return ++made, own; }, now, replies);
  }
  /// One there and one back; how many questions that were.
  std::size_t exchange() {
    const auto asks = take(said);
    for (const auto& one : asks)
      answer(std::get<link_ask>(one));
    for (auto& one : take(replies))
      REQUIRE(asker.on_answer(other, std::get<link_answer>(std::move(one)), now, said));
    return asks.size();
  }
  void advance(duration by) {
    const auto until = now + by;
    for (auto due = asker.next_deadline(); due && *due <= until; due = asker.next_deadline()) {
      now = *due;
      asker.on_tick(now, said);
    }
    now = until;
  }

  time_point now{1h};
  inquiries asker;
  inquiries answerer;
  effect_list said;
  effect_list replies;
  ledger_view own = long_ledger(1);
  std::map<std::uint64_t, cluster_ledger> answers;
  std::size_t largest = 0;
  int made = 0;
  int unanswered = 0;
  int unknown = 0;
};

} // namespace

TEST_CASE("G44: a ledger of many lines comes in parts, one at a time, and arrives as it was") {
  pair_of_nodes two;
  two.own = long_ledger(5000);
  REQUIRE(two.ask(1));
  int parts = 0;
  while (two.exchange() == 1)
    ++parts;
  CHECK(parts > 10);
  CHECK(two.made == 1);
  CHECK(two.largest <= inquiries::part_bytes + 1024);
  const auto& all = two.answers.at(1);
  CHECK(all.nodes == std::vector<std::string>{"a", "b"});
  CHECK(all.silent.empty());
  CHECK(all.sum.balances());
  CHECK(all.sum.topics.at(0).published == 5000);
  REQUIRE(all.sum.lines.size() == 5000);
  for (const auto& line : two.own.lines) {
    const auto* found = all.sum.find("t", line.subscription);
    REQUIRE(found != nullptr);
    REQUIRE(found->published == line.published);
    REQUIRE(found->handled == line.handled);
    REQUIRE(found->dropped == line.dropped);
    REQUIRE(found->pending == line.pending);
  }
}

TEST_CASE("G44: who has not answered by the deadline is named, and an answer after it is counted") {
  pair_of_nodes two;
  REQUIRE(two.ask(1, 200ms));
  auto late = two.take(two.said);
  two.advance(199ms);
  static_cast<void>(two.take(two.said));
  CHECK(two.answers.empty());
  two.advance(1ms);
  static_cast<void>(two.take(two.said));
  CHECK(two.answers.at(1).nodes == std::vector<std::string>{"a"});
  CHECK(two.answers.at(1).silent == std::vector<std::string>{"b"});
  two.answer(std::get<link_ask>(late.at(0)));
  static_cast<void>(two.exchange());
  static_cast<void>(two.take(two.said));
  CHECK(two.unknown == 1);
  REQUIRE(two.ask(2)); // what came too late does not stand in the way
  static_cast<void>(two.exchange());
  static_cast<void>(two.take(two.said));
  CHECK(two.answers.at(2).silent.empty());
}

TEST_CASE(
    "G44: a peer whose session ends is silent at once, and one that has none from the start") {
  pair_of_nodes two;
  REQUIRE(two.asker.begin(1, {"a", {}}, {{other, "b", true}, {8, "c", false}}, two.now + 1s,
                          two.now, two.said));
  two.asker.on_lost(other, two.said);
  static_cast<void>(two.take(two.said));
  CHECK(two.answers.at(1).silent == std::vector<std::string>{"b", "c"});
  CHECK_FALSE(two.asker.next_deadline());
}

TEST_CASE("G44: questions that come while a peer is asked share its next answer") {
  pair_of_nodes two;
  for (std::uint64_t query = 1; query <= inquiries::most; ++query)
    REQUIRE(two.ask(query));
  const auto refused = two.ask(99);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK(two.exchange() == 1);
  CHECK(two.exchange() == 1);
  CHECK(two.exchange() == 0);
  CHECK(two.made == 2);
  CHECK(two.answers.size() == inquiries::most);
  CHECK(two.asker.open() == 0);
  CHECK(two.ask(99));
}

TEST_CASE("G44: a node asks a peer no more often than it is answered") {
  pair_of_nodes two;
  for (std::uint64_t query = 1; query <= 100; ++query) {
    REQUIRE(two.ask(query, 10s));
    while (!two.answers.contains(query)) {
      static_cast<void>(two.exchange());
      if (const auto due = two.asker.next_deadline())
        two.advance(*due - two.now);
    }
    CHECK(two.answers[query].silent.empty());
  }
  CHECK(two.unanswered == 0);
  CHECK(two.now - time_point(1h) >= 5s);
}

TEST_CASE("G44: a peer that asks more than twenty times a second is not answered, and counted") {
  pair_of_nodes two;
  for (std::uint64_t id = 1; id <= 50; ++id)
    two.answer({id, link_ask::ledger, 0});
  CHECK(two.take(two.replies).size() == inquiries::asks_per_second);
  CHECK(two.unanswered == 30);
  CHECK(two.made == 20);
  two.now += 1s;
  two.answer({51, link_ask::ledger, 0});
  CHECK(two.take(two.replies).size() == 1);
  two.answer({52, 1, 0}); // about something that this version does not know
  CHECK(two.take(two.replies).empty());
  CHECK(two.unanswered == 31);
}

TEST_CASE("G44: each part is told once, and the next one only") {
  pair_of_nodes two;
  two.own = long_ledger(5000);
  two.answer({1, link_ask::ledger, 0});
  CHECK(two.take(two.replies).size() == 1);
  for (const std::uint32_t part : {2u, 0xffffffffu})
    two.answer({1, link_ask::ledger, part});
  two.answer({2, link_ask::ledger, 1}); // of another question
  CHECK(two.take(two.replies).empty());
  two.answer({1, link_ask::ledger, 1});
  two.answer({1, link_ask::ledger, 1});
  CHECK(two.take(two.replies).size() == 1);
  CHECK(two.made == 1);
}

TEST_CASE("G44: a peer is cut whose answer has no end, or skips a part") {
  pair_of_nodes two;
  REQUIRE(two.ask(1));
  const auto id = std::get<link_ask>(two.take(two.said).at(0)).id;
  const auto say = [&](std::uint32_t part) {
    return two.asker.on_answer(other, {id, part, false, long_ledger(4096)}, two.now, two.said);
  };
  CHECK(say(1).error().code == errc::protocol);
  std::uint32_t parts = 0;
  while (say(parts))
    REQUIRE(++parts < 20);
  CHECK(parts == 16);
  two.asker.on_lost(other, two.said); // which is what a cut leads to
  static_cast<void>(two.take(two.said));
  CHECK(two.answers.at(1).silent == std::vector<std::string>{"b"});
}
