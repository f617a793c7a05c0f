// A node that is believed dead, or has left: what it is owed waits for it, and then no longer.

#include "actors/router.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/let_pass.hpp"
#include <algorithm>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

/// A router whose one peer has the subscription "indexer", as number 7.
struct rig {
  rig() {
    peer = core.add_peer("far", {}, now, asked).value();
    begin_session();
    announce("indexer", 7);
  }
  void begin_session() {
    core.on_session(peer, now, asked);
    core.on_control(peer, link_resume{heard, {}}, now, asked);
    carry_out();
  }
  void announce(const std::string& name, std::uint32_t number) {
    announced_subscription what;
    what.number = number;
    what.name = name;
    what.filter = *topic_filter::parse("lesson.>");
    said = 1;
    core.on_control(peer, link_numbered{1, encode({1, {what}, {}})}, now, asked);
    carry_out();
  }
  void publish(std::size_t n, delivery_level level = delivery_level::acknowledged,
               time_point expires_at = time_point::max()) {
    auto events = std::make_shared<chunk>();
    for (std::size_t i = 0; i < n; ++i)
      events->entries.push_back(make_entry(make_event({.level = level, .expires_at = expires_at})));
    core.on_events(events, now, asked);
    carry_out();
  }
  void advance(duration by) { let_pass(by, *this); }
  void gone() {
    core.on_session_lost(peer, now, asked);
    core.on_peer_dead(peer, now, asked);
    carry_out();
  }
  /// The peer says that it has handled events from number `first` on.
  void concluded(std::uint64_t first, std::uint64_t count) {
    const std::vector<ack_run> all{{7, first, count, fate::handled, {}}};
    core.on_control(peer, link_numbered{++said, all}, now, asked);
  }
  /// Whether `what` makes it say that it has drained.
  template <class F> bool says_drained(F what) {
    what();
    const bool said_so = std::any_of(asked.begin(), asked.end(), [](const auto& one) {
      return std::holds_alternative<effects::drained>(one);
    });
    carry_out();
    return said_so;
  }
  ledger_line line() const {
    for (auto& one : core.ledger_snapshot().lines)
      if (one.subscription == "indexer@far")
        return one;
    return {};
  }
  void carry_out() {
    for (auto& what : std::exchange(asked, {})) {
      if (auto* buried = std::get_if<effects::bury>(&what))
        letters.push_back(std::move(buried->letter));
      if (const auto* to = std::get_if<effects::to_peer>(&what)) {
        if (const auto* frame = std::get_if<link_effects::send_events>(&to->what->what)) {
          for (const auto& run : frame->runs)
            sent += run.events.size();
          core.on_written(peer, now, asked);
        }
        if (const auto* control = std::get_if<link_effects::send_control>(&to->what->what))
          if (const auto* numbered = std::get_if<link_numbered>(&control->what))
            heard = numbered->number;
      }
    }
    core.check();
  }

  router core{{.node_name = "here"}};
  time_point now{1s};
  effect_list asked;
  std::uint32_t peer = 0;
  std::uint64_t heard = 0;
  std::uint64_t said = 0;
  std::size_t sent = 0;
  std::vector<dead_letter> letters;
};

} // namespace

TEST_CASE("G40: a member believed dead is owed nothing new, and what it was owed is kept") {
  rig at;
  at.publish(10);
  CHECK(at.sent == 10);
  at.gone();
  at.publish(5);
  CHECK(at.line().published == 10);
  CHECK(at.line().pending == 10);
  CHECK(at.core.count_matching("lesson.published") == 0);
  at.advance(59s);
  CHECK(at.letters.empty());
  CHECK(at.line().pending == 10);
}

TEST_CASE("G20: a node that drains waits for what it has published to be handled on other nodes") {
  rig node;
  node.publish(2);
  CHECK_FALSE(node.says_drained([&] { node.core.drain(node.now, node.asked); }));
  CHECK_FALSE(node.says_drained([&] { node.concluded(1, 1); }));
  CHECK(node.says_drained([&] { node.concluded(2, 1); }));
}

TEST_CASE(
    "G20, G82: a node whose id runs elsewhere waits for its own handlers when it drains, and for "
    "no other node's") {
  rig node;
  const auto reader =
      node.core.subscribe("reader", *topic_filter::parse("lesson.>"), {}, node.now, node.asked);
  node.publish(1);
  CHECK_FALSE(node.says_drained([&] { node.core.drain(node.now, node.asked); }));
  CHECK_FALSE(node.says_drained([&] { node.core.on_fenced(node.now, node.asked); }));
  CHECK(node.core.owed() == 2);
  CHECK(node.core.owed_here() == 1);
  CHECK(node.says_drained(
      [&] { static_cast<void>(node.core.unsubscribe(reader.value(), node.now, node.asked)); }));
  CHECK(node.core.owed() == 1);
}

TEST_CASE("G40: a member that returns in time is sent what it had not concluded") {
  rig at;
  at.publish(10);
  at.gone();
  at.advance(30s);
  at.sent = 0;
  at.begin_session(); // the same start, and it has nothing of what was sent
  CHECK(at.sent == 10);
  CHECK(at.core.count_matching("lesson.published") == 1);
  at.publish(1);
  CHECK(at.sent == 11);
  at.advance(120s); // nothing is left of its absence
  CHECK(at.letters.empty());
  CHECK(at.core.has_peer(at.peer));
}

TEST_CASE("G40: a new start of the member gets it, too") {
  rig at;
  at.publish(10);
  at.gone();
  at.advance(30s);
  at.sent = 0;
  at.heard = 0;
  at.core.restart_peer(at.peer, at.now, at.asked);
  at.begin_session();
  CHECK(at.sent == 0); // not before it has said that the subscription is still there
  at.announce("indexer", 3);
  CHECK(at.sent == 10);
  CHECK(at.core.count_matching("lesson.published") == 1);
}

TEST_CASE("G40: a member that stays away leaves dead letters with the publisher, and its ledger "
          "balances") {
  rig at;
  at.publish(10);
  at.publish(4, delivery_level::best_effort);
  at.gone();
  at.advance(61s);
  REQUIRE(at.letters.size() == 10);
  CHECK(at.letters[0].subscription == "indexer@far");
  CHECK(at.letters[0].node == "here");
  CHECK(at.letters[0].reason == "unreachable: node 'far' was believed dead and has not come back");
  CHECK(at.letters[0].died_ms == 61'000);
  const auto line = at.line();
  CHECK(line.dead == 10);
  CHECK(line.dropped_for(drop_reason::unreachable) == 4);
  CHECK(line.balances());
  CHECK(at.core.owed() == 0);
  CHECK_FALSE(at.core.has_peer(at.peer));
}

TEST_CASE("G40: what has expired when its member is given up is expired, and no dead letter") {
  rig at;
  at.publish(3, delivery_level::acknowledged, at.now + 30s);
  at.publish(2, delivery_level::acknowledged, at.now + 1h);
  at.gone();
  at.advance(61s);
  CHECK(at.letters.size() == 2);
  CHECK(at.line().expired == 3);
  CHECK(at.line().dead == 2);
}

TEST_CASE("G40: a new start may announce a subscription a while after it has joined") {
  rig at;
  at.publish(5);
  at.core.on_session_lost(at.peer, at.now, at.asked);
  at.heard = 0;
  at.core.restart_peer(at.peer, at.now, at.asked);
  at.begin_session();
  at.publish(3);
  at.sent = 0;
  at.core.on_control(at.peer, link_numbered{1, encode({1, {}, {}})}, at.now, at.asked);
  at.carry_out();
  at.publish(2);
  CHECK(at.line().pending == 10);
  SECTION("it does") {
    at.advance(9s);
    announced_subscription what;
    what.number = 3;
    what.name = "indexer";
    what.filter = *topic_filter::parse("lesson.>");
    at.core.on_control(at.peer, link_numbered{2, encode({2, {what}, {}})}, at.now, at.asked);
    at.carry_out();
    CHECK(at.sent == 10);
    at.advance(1min);
    CHECK(at.line().dropped_in_all() == 0);
  }
  SECTION("it does not") {
    at.advance(11s);
    CHECK(at.line().dropped_for(drop_reason::unsubscribed) == 10);
    CHECK(at.core.owed() == 0);
  }
  at.core.check();
}
