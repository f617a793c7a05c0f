// Which peer of the router a session belongs to.

#include "actors/desk.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/idle_hands.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

peer_inputs::session_up up(std::uint64_t node, std::string name, std::uint64_t session,
                           std::uint64_t epoch = 1) {
  return {{make_node_id(1, node), epoch, 1, std::move(name), "main", "127.0.0.1:1"}, session};
}

/// Names of the peers that are given up when the time of the dead is over.
std::vector<std::string> given_up(router& core, time_point dead_since) {
  effect_list out;
  core.on_wake(dead_since + 61s, out);
  std::vector<std::string> names;
  for (const auto& one : out)
    if (const auto* gone = std::get_if<effects::peer_gone>(&one))
      names.push_back(gone->name);
  return names;
}

/// Number of the peer that the first effect of the kind is for.
std::optional<std::uint32_t> told(const effect_list& out) {
  for (const auto& one : out)
    if (const auto* to = std::get_if<effects::to_peer>(&one))
      return to->peer;
  return std::nullopt;
}

/// Notes what is written to which session.
struct noting_hands : idle_hands {
  void to_peer(std::uint64_t session, const std::shared_ptr<peer_message>& what) override {
    const auto* said = std::get_if<link_effects::send_control>(&what->what);
    const bool begins = said != nullptr && std::holds_alternative<link_resume>(said->what);
    written.emplace_back(session, begins);
  }
  std::vector<std::pair<std::uint64_t, bool>> written; ///< session, and whether it is its beginning
};

} // namespace

TEST_CASE("each peer is written to through its own session, however many there are") {
  router core({.node_name = "self"});
  neighbours all;
  const auto now = time_point(1h);
  std::map<std::uint64_t, std::uint32_t> peer_of_session;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    effect_list out;
    all.apply(core, up(i, "node-" + std::to_string(i), 100 + i), now, out);
    REQUIRE(told(out)); // the beginning of a session is told to the other side
    peer_of_session[100 + i] = *told(out);
  }
  for (const auto& [session, peer] : peer_of_session)
    CHECK(all.session_of(peer) == session);
  effect_list out;
  all.apply(core, peer_inputs::session_lost{102}, now, out);
  CHECK_FALSE(all.session_of(peer_of_session[102]));
  CHECK(all.session_of(peer_of_session[101]) == 101);
  CHECK(all.session_of(peer_of_session[103]) == 103);
}

TEST_CASE("a node that was given up and comes back does not take the session of another one") {
  router core({.node_name = "self"});
  neighbours all;
  const auto now = time_point(1h);
  effect_list out;
  all.apply(core, up(1, "a", 101), now, out);
  const auto peer_a = told(out).value();
  all.apply(core, peer_inputs::session_lost{101}, now, out);
  all.apply(core, peer_inputs::gone{make_node_id(1, 1), "a"}, now, out);
  out.clear();
  all.apply(core, up(2, "b", 102), now, out);
  const auto peer_b = told(out).value();
  out.clear();
  all.apply(core, up(1, "a", 103), now, out);
  CHECK(all.session_of(peer_b) == 102);
  CHECK(all.session_of(told(out).value()) == 103);
  CHECK((told(out) == peer_a || !all.session_of(peer_a)));
}

TEST_CASE("what a peer is told in one session is not written to the next one") {
  noting_hands hands;
  desk at({.node_name = "self"}, hands);
  const auto now = time_point(1h);
  inbox::contents mail;
  mail.peers.emplace_back(up(1, "a", 101));
  at.on_contents(mail, now);
  REQUIRE(hands.written == std::vector<std::pair<std::uint64_t, bool>>{{101, true}});
  mail.clear(); // one look into the inbox: the peer answers, the session ends, another one begins
  mail.peers.emplace_back(peer_inputs::control{101, link_resume{}});
  mail.peers.emplace_back(peer_inputs::session_lost{101});
  mail.peers.emplace_back(up(1, "a", 102));
  hands.written.clear();
  at.on_contents(mail, now);
  CHECK(hands.written == std::vector<std::pair<std::uint64_t, bool>>{{101, false}, {102, true}});
}

TEST_CASE("G40, G64: a node that starts anew under another name leaves nobody behind under the old "
          "one") {
  router core({.node_name = "self"});
  neighbours all;
  const auto now = time_point(1h);
  effect_list out;
  SECTION("its session ended first") {
    all.apply(core, up(1, "a", 101), now, out);
    all.apply(core, peer_inputs::session_lost{101}, now, out);
    all.apply(core, up(1, "b", 102, 2), now, out);
  }
  SECTION("its session is still there") {
    all.apply(core, up(1, "a", 101), now, out);
    all.apply(core, up(1, "b", 102, 2), now, out);
    out.clear();
    all.apply(core, peer_inputs::session_lost{101}, now, out);
    CHECK_FALSE(told(out));
  }
  SECTION("it comes, goes and is back once more") {
    all.apply(core, up(1, "b", 101), now, out);
    all.apply(core, up(1, "a", 102, 2), now, out);
    all.apply(core, up(1, "b", 103, 3), now, out);
  }
  CHECK(given_up(core, now) == std::vector<std::string>{"a"});
}

TEST_CASE("G40: a node that starts anew under another name and dies before it has a session is "
          "dead under the old one, too") {
  router core({.node_name = "self"});
  neighbours all;
  const auto now = time_point(1h);
  effect_list out;
  all.apply(core, up(1, "a", 101), now, out);
  all.apply(core, up(2, "c", 102), now, out);
  all.apply(core, peer_inputs::session_lost{101}, now, out);
  all.apply(core, peer_inputs::gone{make_node_id(1, 1), "b"}, now, out);
  CHECK(given_up(core, now) == std::vector<std::string>{"a"});
}
