// The rules of the membership, one by one. Whole clusters are in test_membership_sim.cpp.

#include "actors/fixed_log.hpp"
#include "tests/support/one_member.hpp"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace edupulse;
using namespace edupulse::test;

namespace {

constexpr auto alive = member_state::alive;
constexpr auto suspect = member_state::suspect;
constexpr auto dead = member_state::dead;
constexpr auto left = member_state::left;

bool speaks_of(const sent_frame& one, node_id who, member_state state) {
  return std::any_of(one.frame.updates.begin(), one.frame.updates.end(),
                     [&](const auto& what) { return what.node == who && what.state == state; });
}

/// Peer 2 never answers; the others do, pings and requests for help.
auto all_but_2(one_member& one, bool nacks = true) {
  return [&one, nacks, seen = std::size_t{0}]() mutable {
    one.answer_pings([](node_id who) { return who != node(2); });
    for (; seen < one.out.size(); ++seen) {
      const auto* sent = std::get_if<said::send>(&one.out[seen]);
      if (sent == nullptr || !nacks)
        continue;
      const auto read = decode_membership(sent->bytes).value();
      if (const auto* asked = std::get_if<msg::ping_request>(&read.message))
        for (std::uint64_t i = 3; i < 20; ++i)
          if (node(i) == sent->to)
            one.hears(peer(i), msg::nack{asked->seq});
    }
  };
}

} // namespace

// -- merging ------------------------------------------------------------------

TEST_CASE("membership 3.2: news applies iff (incarnation, rank) is greater, and left is final") {
  struct step {
    member_state state;
    std::uint64_t inc;
  };
  const member_state ranks[] = {alive, suspect, dead, left};
  for (const member_state before : ranks)
    for (const member_state news : ranks)
      for (const std::uint64_t inc : {4u, 5u, 6u}) {
        one_member one;
        one.among(6);
        one.hears(peer(3), msg::gossip{}, {about(peer(2), alive, 5)});
        if (before == dead)
          one.buries(peer(2), peer(3), 5);
        else
          one.hears(peer(3), msg::gossip{}, {about(peer(2), before, 5)});
        REQUIRE(one.state_of(peer(2)) == before);
        one.hears(peer(3), msg::gossip{}, {about(peer(2), news, inc)});
        const bool applies = before != left && (inc > 5 || (inc == 5 && news > before));
        const bool can_answer = news == dead && before < dead; // 3.4.6
        INFO(to_string(before) << " then " << to_string(news) << " inc " << inc);
        CHECK(one.state_of(peer(2)) == (!applies ? before : can_answer ? suspect : news));
        CHECK(one.core.find(node(2))->inc == (applies ? inc : 5u));
        one.core.check();
      }
}

TEST_CASE("M4: under random news keys never decrease") {
  one_member one;
  one.among(8);
  random_source chance(7);
  std::map<std::uint64_t, std::pair<std::uint64_t, member_state>> last;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t who = 2 + below(7, chance);
    const auto state = static_cast<member_state>(below(4, chance) % (chance.next() % 20 ? 3 : 4));
    const std::uint64_t inc = std::get<0>(last[who]) + below(4, chance) -
                              std::min<std::uint64_t>(std::get<0>(last[who]), 2);
    one.hears(peer(8), msg::gossip{}, {about(peer(who), state, inc, node(3 + below(5, chance)))});
    one.now += 1ms;
    const auto now = one.core.find(node(who)).value();
    const std::pair key(now.inc, now.state);
    REQUIRE(key >= last[who]);
    last[who] = key;
  }
  one.core.check();
}

TEST_CASE("M3: nothing that others say raises the incarnation of a third node here on its own") {
  one_member one;
  one.among(4);
  // Peer 2's word is 0; hearsay of 3 is believed as hearsay, and its own word of 4 wins.
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 3)});
  CHECK(one.state_of(peer(2)) == suspect);
  one.hears(peer(2), msg::gossip{}, {}, 4);
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.core.find(node(2))->inc == 4);
}

// -- probing ------------------------------------------------------------------

TEST_CASE("membership 3.4.1: each member is probed once in a round, in an order drawn anew") {
  one_member one;
  one.among(11);
  std::map<node_id, std::vector<std::size_t>> probed;
  std::size_t probes = 0;
  one.wait(100s, [&] {
    for (const auto& ping : one.frames_of<msg::ping>())
      probed[ping.to].push_back(probes++);
    one.answer_pings([](node_id) { return true; });
    one.forget();
  });
  CHECK(probes >= 99);
  REQUIRE(probed.size() == 10);
  std::set<std::size_t> gaps;
  for (const auto& [who, at] : probed) {
    CHECK(at.size() >= 9);
    for (std::size_t i = 1; i < at.size(); ++i) {
      CHECK(at[i] - at[i - 1] <= 2 * 10 - 1);
      gaps.insert(at[i] - at[i - 1]);
    }
  }
  CHECK(gaps.size() > 5); // and not the same round again and again
}

TEST_CASE("membership 3.4.1: no ack: three others are asked, and the data link; then suspect") {
  one_member one;
  one.among(8);
  one.core.link_up(node(2), one.now, one.out);
  const auto world = all_but_2(one);
  one.core.link_down(node(2), one.now, one.out);
  one.core.link_up(node(2), one.now, one.out);
  one.wait(499ms, world);
  CHECK(one.frames_of<msg::ping_request>().empty());
  one.wait(2ms, world);
  const auto asked = one.frames_of<msg::ping_request>();
  REQUIRE(asked.size() == 3);
  std::set<node_id> helpers;
  for (const auto& request : asked) {
    CHECK(std::get<msg::ping_request>(request.frame.message).target == node(2));
    helpers.insert(request.to);
  }
  CHECK(helpers.size() == 3);
  CHECK(helpers.count(node(2)) == 0);
  const auto pings = one.frames_of<msg::ping>();
  CHECK(std::count_if(pings.begin(), pings.end(),
                      [](auto& ping) { return ping.over_data_link && ping.to == node(2); }) == 1);
  CHECK(one.state_of(peer(2)) == alive);
  one.wait(500ms, world);
  CHECK(one.state_of(peer(2)) == suspect);
  CHECK(one.events() == "suspect peer2\n");
}

TEST_CASE("membership 3.4.1: an ack by a helper counts, one by anybody else does not") {
  for (const bool helper : {true, false}) {
    one_member one;
    one.among(8);
    const auto world = all_but_2(one);
    one.core.link_down(node(2), one.now, one.out);
    one.wait(600ms, world);
    const auto asked = one.frames_of<msg::ping_request>();
    REQUIRE(asked.size() == 3);
    std::set<node_id> helpers;
    for (const auto& request : asked)
      helpers.insert(request.to);
    const auto seq = std::get<msg::ping_request>(asked[0].frame.message).seq;
    for (std::uint64_t i = 3; i <= 8; ++i)
      if ((helpers.count(node(i)) > 0) == helper)
        one.hears(peer(i), msg::ack{seq});
    one.wait(500ms, world);
    CHECK(one.state_of(peer(2)) == (helper ? alive : suspect));
  }
}

TEST_CASE(
    "membership 3.4.1: a helper pings, passes the ack on, and says nack at 80 % of the time") {
  one_member one;
  one.among(4);
  one.hears(peer(3), msg::ping_request{77, node(2)});
  auto pings = one.frames_of<msg::ping>();
  REQUIRE(pings.size() == 1);
  CHECK(pings[0].to == node(2));
  const auto quiet = [] {};
  one.wait(399ms, quiet);
  CHECK(one.frames_of<msg::nack>().empty());
  one.wait(2ms, quiet);
  REQUIRE(one.frames_of<msg::nack>().size() == 1);
  CHECK(one.frames_of<msg::nack>()[0].to == node(3));
  CHECK(std::get<msg::nack>(one.frames_of<msg::nack>()[0].frame.message).seq == 77);
  // Better late than never.
  one.hears(peer(2), msg::ack{std::get<msg::ping>(pings[0].frame.message).seq});
  REQUIRE(one.frames_of<msg::ack>().size() == 1);
  CHECK(one.frames_of<msg::ack>()[0].to == node(3));
  CHECK(std::get<msg::ack>(one.frames_of<msg::ack>()[0].frame.message).seq == 77);
}

TEST_CASE("membership: pings for others are bounded; beyond, the answer is a nack at once") {
  one_member one;
  one.among(4);
  for (std::uint32_t i = 0; i < 40; ++i)
    one.hears(peer(3), msg::ping_request{i, node(2)});
  CHECK(one.frames_of<msg::ping>().size() == 32);
  CHECK(one.frames_of<msg::nack>().size() == 8);
  one.core.check();
}

TEST_CASE("membership: a ping for somebody else is not answered (an address that moved)") {
  one_member one;
  one.among(3);
  one.hears(peer(2), msg::ping{1, node(3)});
  CHECK(one.frames_of<msg::ack>().empty());
  one.hears(peer(2), msg::ping{1, node(1)});
  CHECK(one.frames_of<msg::ack>().size() == 1);
}

TEST_CASE("membership 3.4.2: a suspect is told so by whoever pings it, and by whom it pings") {
  one_member one;
  one.among(6);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect)});
  one.wait(3s, all_but_2(one)); // the gossip is over
  one.forget();
  one.core.link_down(node(2), one.now, one.out);
  REQUIRE(one.frames_of<msg::ping>().size() == 1);
  CHECK(speaks_of(one.frames_of<msg::ping>()[0], node(2), suspect));
  one.forget();
  one.hears(peer(2), msg::ping{5, node(1)});
  REQUIRE(one.frames_of<msg::ack>().size() == 1);
  CHECK(speaks_of(one.frames_of<msg::ack>()[0], node(2), suspect));
}

TEST_CASE(
    "membership: a suspect is asked every second or two, so that it can contradict in person") {
  one_member one;
  one.among(40);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 0, node(3))});
  one.wait(3s); // the gossip is over
  one.forget();
  std::size_t asked = 0;
  for (int step = 0; step < 100; ++step) { // five seconds
    one.wait(50ms);
    for (const auto& ping : one.frames_of<msg::ping>())
      asked += ping.to == node(2) && speaks_of(ping, node(2), suspect);
    one.forget();
  }
  CHECK(asked >= 2);
  CHECK(asked <= 6); // one may be of a round of probes
  one.hears(peer(2), msg::ack{1'000'000}, {}, 1);
  CHECK(one.state_of(peer(2)) == alive);
  one.wait(3s);
  one.forget();
  one.wait(5s);
  for (const auto& ping : one.frames_of<msg::ping>())
    CHECK_FALSE(speaks_of(ping, node(2), suspect));
}

TEST_CASE("membership: however many are suspects, sixteen are asked at once, and all in turn") {
  one_member one;
  one.among(40);
  for (std::uint64_t who = 4; who <= 40; ++who)
    one.hears(peer(3), msg::gossip{}, {about(peer(who), suspect, 0, node(3))});
  one.forget();
  std::set<node_id> asked;
  for (int step = 0; step < 100; ++step) {
    one.wait(50ms);
    std::size_t at_once = 0;
    for (const auto& ping : one.frames_of<msg::ping>())
      if (speaks_of(ping, ping.to, suspect)) {
        asked.insert(ping.to);
        ++at_once;
      }
    CHECK(at_once <= 17); // one of a round of probes
    one.forget();
  }
  CHECK(asked.size() == 37);
}

TEST_CASE("membership: link_down starts a probe at once and is no verdict") {
  one_member one;
  one.among(5);
  one.core.link_down(node(2), one.now, one.out);
  REQUIRE(one.frames_of<msg::ping>().size() == 1);
  CHECK(one.frames_of<msg::ping>()[0].to == node(2));
  one.wait(2s);
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.events().empty());
}

// -- suspicion ----------------------------------------------------------------

TEST_CASE("membership 3.4.3: a suspicion lasts 24 s alone, 11.4 s with one more, 4 s with two") {
  struct expectation {
    int confirmations;
    duration lasts;
  };
  for (const auto& [confirmations, lasts] :
       {expectation{0, 24s}, {1, 24s - 20ms * 631}, {2, 4s}, {3, 4s}}) {
    one_member one;
    one.among(10);
    one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 0, node(3))});
    for (int i = 0; i < confirmations; ++i)
      one.hears(peer(4), msg::gossip{},
                {about(peer(2), suspect, 0, node(4 + static_cast<std::uint64_t>(i)))});
    // The same accusers again count for nothing.
    one.hears(peer(5), msg::gossip{}, {about(peer(2), suspect, 0, node(3))});
    // Its own probes do not disturb: nobody is probed.
    const auto no_probe = [&] { one.answer_pings([](node_id) { return true; }); };
    one.wait(lasts - 1ms, no_probe);
    INFO(confirmations << " confirmations");
    CHECK(one.state_of(peer(2)) == suspect);
    one.wait(2ms, no_probe);
    CHECK(one.state_of(peer(2)) == dead);
  }
}

TEST_CASE("membership 3.4.3: with nobody to confirm the shortest time is given at once") {
  one_member one;
  one.among(3);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 0, node(3))});
  one.wait(4s - 1ms);
  CHECK(one.state_of(peer(2)) == suspect);
  one.wait(2ms);
  CHECK(one.state_of(peer(2)) == dead);
}

TEST_CASE("membership: suspicions grow with log10 of the members, in integers") {
  const auto min = [](std::size_t n) { return span_of_suspicion(1s, 4, 6, n, 9).min; };
  CHECK(min(1) == 4s);
  CHECK(min(10) == 4s);
  CHECK(min(100) >= 7990ms);
  CHECK(min(100) <= 8s);
  CHECK(min(1000) >= 11990ms);
  CHECK(min(1000) <= 12s);
  CHECK(span_of_suspicion(1s, 4, 6, 100, 9).max == 6 * min(100));
  CHECK(span_of_suspicion(1s, 4, 6, 100, 1).max == min(100));
}

TEST_CASE("membership 3.4.4: an accusation of oneself is outdone by one and passed on as alive") {
  for (const auto state : {suspect, dead, left}) {
    one_member one;
    one.among(4);
    const peer_identity self = one_member::self_identity();
    one.hears(peer(2), msg::gossip{}, {about(self, state, 7)});
    CHECK(one.own_inc() == 8);
    CHECK(one.core.health() == 1);
    CHECK(one.core.counts().refutations == 1);
    one.wait(250ms);
    const auto gossip = one.frames_of<msg::gossip>();
    REQUIRE(!gossip.empty());
    CHECK(speaks_of(gossip[0], node(1), alive));
    CHECK(gossip[0].frame.header.inc == 8);
    // What is older than the answer needs none.
    one.hears(peer(2), msg::gossip{}, {about(self, state, 7)});
    CHECK(one.own_inc() == 8);
  }
}

TEST_CASE("membership: whoever was accused compares tables soon: it may have missed news") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    one_member one(lan_profile(), seed);
    one.among(4);
    one.hears(peer(2), msg::gossip{}, {about(one_member::self_identity(), dead)});
    one.wait(2001ms);
    CHECK(one.frames_of<msg::offer>().size() >= 1);
  }
}

TEST_CASE("M9: gossip about a later start of oneself is a hint to dial, and fences nobody") {
  one_member one;
  one.among(4);
  peer_identity later = one_member::self_identity();
  later.boot_epoch = 6;
  later.address = "other:1";
  one.hears(peer(2), msg::gossip{}, {about(later, alive)});
  CHECK(one.core.state() == self_state::joined);
  const auto dials = one.all_of<said::dial>();
  REQUIRE(dials.size() == 1);
  CHECK(dials[0].address == "other:1");
  CHECK(dials[0].why == dial_reason::newer_start);
  // The hello of that start itself does.
  CHECK(one.hello(later, "other:1") == hello_verdict::over);
  CHECK(one.core.state() == self_state::fenced);
  one.forget();
  one.core.tick(one.now + 10s, one.out);
  one.hears(peer(2), msg::ping{1, node(1)});
  CHECK(one.out.empty());
  CHECK_FALSE(one.core.next_deadline());
}

TEST_CASE("M9: an old start is told so, in its hello and in its next frame") {
  one_member one;
  one.among(4);
  CHECK(one.hello(peer(2, 3)) == hello_verdict::accepted);
  CHECK(one.events() == "replaced peer2\n");
  CHECK(one.core.find(node(2))->boot_epoch == 3);
  one.forget();
  CHECK(one.hello(peer(2, 1)) == hello_verdict::fenced);
  one.hears(peer(2, 1), msg::ping{1, node(1)});
  const auto refused = one.frames_of<msg::refused>();
  REQUIRE(refused.size() == 1);
  const auto& why = std::get<msg::refused>(refused[0].frame.message);
  CHECK(why.reason == membership_refusal::fenced);
  CHECK(why.boot_epoch == 3);
  CHECK(why.address == "peer2:1");
  CHECK(one.frames_of<msg::ack>().empty());
  CHECK(one.core.find(node(2))->boot_epoch == 3);
}

TEST_CASE("membership: being refused as fenced is one peer's word: reported, and looked into") {
  one_member one;
  one.among(4);
  one.hears(peer(2), msg::refused{membership_refusal::fenced, "later", 9, "other:1"});
  CHECK(one.core.state() == self_state::joined);
  REQUIRE(one.all_of<said::refused>().size() == 1);
  CHECK(one.all_of<said::refused>()[0].boot_epoch == 9);
  REQUIRE(one.all_of<said::dial>().size() == 1);
  CHECK(one.all_of<said::dial>()[0].address == "other:1");
}

TEST_CASE("membership: third-party news of another epoch changes nothing but who is dialled") {
  one_member one;
  one.among(4);
  one.hears(peer(3), msg::gossip{}, {about(peer(2, 9), alive)});
  one.hears(peer(3), msg::gossip{}, {about(peer(2, 9), dead)});
  one.hears(peer(3), msg::gossip{}, {about(peer(2, 9), alive)});
  CHECK(one.core.find(node(2))->boot_epoch == 1);
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.all_of<said::dial>().size() == 1); // not again within five seconds
  CHECK(one.events().empty());
}

TEST_CASE("membership: an epoch that was only heard of gives way to the node's own hello") {
  one_member one;
  one.among(4);
  one.hears(peer(3), msg::gossip{}, {about(peer(7, 1'000'000), alive)}); // so that it is kept out
  CHECK(one.core.find(node(7))->boot_epoch == 1'000'000);
  CHECK(one.hello(peer(7, 2)) == hello_verdict::accepted);
  CHECK(one.core.find(node(7))->boot_epoch == 2);
}

TEST_CASE("membership: two processes with one id and epoch are a conflict for both") {
  one_member one;
  one.among(3);
  peer_identity twin = one_member::self_identity();
  CHECK(one.hello(twin, "self:1") == hello_verdict::itself);
  twin.instance += 1;
  CHECK(one.hello(twin) == hello_verdict::conflict);
  CHECK(one.all_of<said::conflict>().size() == 1);
  CHECK(one.core.state() == self_state::joined);
  twin.boot_epoch -= 1;
  CHECK(one.hello(twin) == hello_verdict::fenced);
}

TEST_CASE("membership: a fresh id under a known name replaces the old one, which stays out") {
  one_member one;
  one.among(4);
  peer_identity fresh = peer(2);
  fresh.node = node(50);
  // Not on hearsay.
  one.hears(peer(3), msg::gossip{}, {about(fresh, alive)});
  CHECK_FALSE(one.knows(fresh));
  CHECK(one.all_of<said::dial>().size() == 1);
  one.forget();
  CHECK(one.hello(fresh) == hello_verdict::accepted);
  const auto events = one.all_of<said::changed>();
  REQUIRE(events.size() == 1);
  CHECK(events[0].what == member_event::replaced);
  CHECK(events[0].by == node(2));
  CHECK(one.state_of(fresh) == alive);
  CHECK(one.state_of(peer(2)) == left);
  CHECK(one.hello(peer(2)) == hello_verdict::superseded);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), alive, 9)});
  CHECK(one.state_of(peer(2)) == left);
  one.core.check();
  // Our own name cannot be taken.
  fresh.name = "self";
  fresh.node = node(51);
  CHECK(one.hello(fresh) == hello_verdict::conflict);
  CHECK(one.all_of<said::conflict>().size() == 1);
}

TEST_CASE("N17: a node whose seeds are gone joins through a member that dials it") {
  one_member one;
  one.core.join({"gone:1"}, one.now, one.out);
  one.forget();
  // Nobody whom it has not asked lets it in.
  one.hears(peer(2), msg::join_ok{0, 1}, {about(peer(2), alive)});
  CHECK(one.core.state() == self_state::joining);
  REQUIRE(one.hello(peer(2)) == hello_verdict::accepted);
  const auto asked = one.frames_of<msg::join>();
  REQUIRE(asked.size() == 1);
  CHECK(asked.front().to == node(2));
  one.hears(peer(2), msg::join_ok{0, 1}, {about(peer(2), alive), about(peer(3), alive)});
  CHECK(one.core.state() == self_state::joined);
  CHECK(one.knows(peer(3)));
  one.core.check();
}

TEST_CASE("membership: a node whose name was taken has it again once the other one is gone") {
  one_member one;
  one.among(4);
  peer_identity other = peer(2);
  other.node = node(50);
  REQUIRE(one.hello(other) == hello_verdict::accepted);
  CHECK(one.hello(peer(2)) == hello_verdict::superseded);
  one.buries(other, peer(3));
  one.forget();
  CHECK(one.hello(peer(2)) == hello_verdict::accepted);
  CHECK(one.events() == "alive_again peer2\n");
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.core.find(node(2))->name == "peer2");
  CHECK(one.hello(other) == hello_verdict::superseded);
  one.core.check();
}

TEST_CASE("membership: what was heard of a name gives way to the hello, whoever had that name") {
  one_member one;
  one.among(4);
  peer_identity newcomer = peer(50);
  one.hears(peer(3), msg::gossip{}, {about(newcomer, alive)}); // under a name of its own
  REQUIRE(one.knows(newcomer));
  newcomer.name = "peer2";
  one.forget();
  CHECK(one.hello(newcomer) == hello_verdict::accepted);
  const auto events = one.all_of<said::changed>();
  REQUIRE(events.size() == 1);
  CHECK(events[0].what == member_event::replaced);
  CHECK(events[0].member.node == newcomer.node);
  CHECK(events[0].by == node(2));
  CHECK(one.core.find(newcomer.node)->name == "peer2");
  CHECK(one.state_of(newcomer) == alive);
  CHECK(one.state_of(peer(2)) == left);
  CHECK(one.hello(peer(2)) == hello_verdict::superseded);
  one.core.check();
}

// -- forgeries ----------------------------------------------------------------

TEST_CASE("membership 3.4.5: an incarnation that nobody can have reached is dropped and counted") {
  one_member one;
  one.among(4);
  const std::uint64_t huge = std::uint64_t{1} << 63;
  one.hears(peer(3), msg::gossip{}, {about(peer(2), dead, huge)});
  one.hears(peer(3), msg::gossip{}, {about(peer(2), alive, refutation_limit::max_step + 1)});
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.core.find(node(2))->inc == 0);
  CHECK(one.core.counts().forged_inc == 2);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), alive, refutation_limit::max_step)});
  CHECK(one.core.find(node(2))->inc == refutation_limit::max_step);
}

TEST_CASE("membership 3.4.5: a node does not raise its own by more than a thousand in a minute") {
  one_member one;
  one.among(4);
  const peer_identity self = one_member::self_identity();
  for (int i = 0; i < 2000; ++i)
    one.hears(peer(3), msg::gossip{}, {about(self, suspect, one.own_inc())});
  CHECK(one.own_inc() == 1000);
  // More than the thousand once, because others would believe a step of that size.
  one.now += 1min;
  one.core.tick(one.now, one.out);
  one.hears(peer(3), msg::gossip{}, {about(self, dead, 500'000)});
  CHECK(one.own_inc() == 500'001);
  one.hears(peer(3), msg::gossip{}, {about(self, dead, 900'000)});
  CHECK(one.own_inc() == 500'001);
  one.hears(peer(3), msg::gossip{}, {about(self, dead, UINT64_MAX)});
  one.hears(peer(3), msg::gossip{}, {about(self, dead, UINT64_MAX - 1)});
  CHECK(one.own_inc() == 500'001);
  CHECK(one.core.counts().forged_inc >= 4);
  one.core.check();
}

TEST_CASE("membership: a forged left is undone by the node itself, not by hearsay") {
  one_member one;
  one.among(4);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), left)});
  CHECK(one.state_of(peer(2)) == left);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), alive, 1)});
  CHECK(one.state_of(peer(2)) == left);
  CHECK(one.all_of<said::dial>().size() == 1);
  one.hears(peer(2), msg::offer{0}, {}, 1);
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.events() == "left peer2\nalive_again peer2\n");
}

TEST_CASE("membership: a peer whose frames make no sense is not believed for a minute") {
  one_member one;
  one.among(5);
  const std::vector<std::byte> garbage(64, std::byte{0xff});
  for (int i = 0; i < 150; ++i)
    one.core.receive(peer(3), garbage, one.now, one.out);
  CHECK(one.core.counts().malformed == 150);
  CHECK(one.all_of<said::misbehaving>().size() == 1);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), dead)});
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.core.counts().quarantined == 1);
  one.wait(61s);
  one.buries(peer(2), peer(3));
}

TEST_CASE("membership: nobody speaks for another") {
  one_member one;
  one.among(5);
  const auto forged = one_member::frame(peer(3), msg::gossip{}, {about(peer(2), dead)});
  one.core.receive(peer(4), forged, one.now, one.out);
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.core.counts().wrong_sender == 1);
  // Nor for another start of itself.
  one.core.receive(peer(3), one_member::frame(peer(3, 2), msg::gossip{}), one.now, one.out);
  CHECK(one.core.counts().wrong_sender == 2);
}

TEST_CASE("membership 3.4.11: at most fifty unknown members a second, and asked for soon after") {
  one_member one;
  one.among(3);
  for (std::uint64_t i = 100; i < 1100; ++i)
    one.hears(peer(3), msg::gossip{}, {about(peer(i), alive)});
  CHECK(one.core.table().size() <= 3 + 51);
  CHECK(one.core.counts().rate_limited >= 940);
  one.forget();
  one.wait(2s, [&] { one.answer_pings([](node_id) { return true; }); });
  CHECK(one.frames_of<msg::offer>().size() >= 1);
}

TEST_CASE("membership 3.4.11: the table is bounded; the oldest of the dead make room") {
  membership_options how = lan_profile();
  how.max_members = 10;
  how.new_members_per_second = 1'000'000;
  one_member one(how);
  one.found();
  for (std::uint64_t i = 2; i < 20; ++i)
    one.asks_to_join(peer(i));
  CHECK(one.core.table().size() == 10);
  CHECK(one.core.counts().table_full == 9);
  CHECK(one.frames_of<msg::refused>().size() == 9);
  one.buries(peer(4), peer(3));
  one.now += 1s;
  one.buries(peer(5), peer(3));
  one.asks_to_join(peer(30));
  CHECK(one.knows(peer(30)));
  CHECK_FALSE(one.knows(peer(4)));
  CHECK(one.knows(peer(5)));
  one.core.check();
}

TEST_CASE("membership: news of unknown members that are dead, or without an address, is nothing") {
  one_member one;
  one.among(3);
  auto nameless = about(peer(50), alive);
  nameless.profile = {};
  one.hears(peer(3), msg::gossip{}, {nameless, about(peer(51), dead), about(peer(52), left)});
  CHECK(one.core.table().size() == 3);
}

// -- tables -------------------------------------------------------------------

TEST_CASE("membership 3.4.6: the dead of a table are suspects here, and get to answer") {
  one_member one;
  one.among(10);
  one.hears(peer(3), msg::table{0, 1, false}, {about(peer(2), dead)});
  CHECK(one.state_of(peer(2)) == suspect);
  one.hears(peer(2), msg::gossip{}, {}, 1);
  CHECK(one.state_of(peer(2)) == alive);
  CHECK(one.events() == "suspect peer2\nalive_again peer2\n");
}

TEST_CASE("membership 3.4.6: whom gossip calls dead gets the shortest time to answer first") {
  one_member one;
  one.among(10);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), dead)});
  one.wait(4s - 1ms);
  CHECK(one.state_of(peer(2)) == suspect);
  one.hears(peer(6), msg::gossip{}, {about(peer(2), dead)});
  CHECK(one.state_of(peer(2)) == suspect);
  one.hears(peer(2), msg::gossip{}, {}, 1);
  CHECK(one.state_of(peer(2)) == alive);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 1)});
  one.wait(4s);
  CHECK(one.state_of(peer(2)) == suspect);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), dead, 2)}); // of an answer nobody heard here
  CHECK(one.state_of(peer(2)) == suspect);
  one.wait(4s);
  CHECK(one.state_of(peer(2)) == dead);
}

TEST_CASE("M5: two that hold each other for dead tell each other though their tables crossed") {
  one_member one;
  one.among(6);
  one.buries(peer(2), peer(3));
  one.hears(peer(2), msg::offer{0});
  one.forget();
  const auto self = about(one_member::self_identity(), dead);
  one.hears(peer(2), msg::table{0, 1, true}, {self}); // its answer would be a second table
  CHECK(one.frames_of<msg::table>().empty());
  const auto told = one.frames_of<msg::gossip>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].to == node(2));
  CHECK(told[0].frame.header.inc == 1);
  CHECK(speaks_of(told[0], node(2), dead));
}

TEST_CASE("membership: the digest is the one that membership.capnp describes") {
  const auto finish = [](std::uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
  };
  const auto expected = [&](const one_member& one) {
    std::uint64_t sum = 0;
    for (const auto& member : one.core.members()) {
      if (member.state > suspect)
        continue;
      std::uint64_t h = finish(high_half(member.node.value));
      for (const std::uint64_t part : {low_half(member.node.value), member.boot_epoch, member.inc,
                                       static_cast<std::uint64_t>(member.state)})
        h = finish(h ^ part);
      sum += h;
    }
    return sum;
  };
  one_member one;
  one.among(5);
  std::set<std::uint64_t> digests{one.core.table().digest()};
  CHECK(one.core.table().digest() == expected(one));
  for (const auto& news : {about(peer(2), suspect), about(peer(2), alive, 1), about(peer(3), dead),
                           about(peer(4), left)}) {
    one.hears(peer(5), msg::gossip{}, {news});
    CHECK(one.core.table().digest() == expected(one));
    CHECK(digests.insert(one.core.table().digest()).second);
  }
}

TEST_CASE("membership: equal tables are compared by digest alone, others are exchanged") {
  one_member one;
  one.among(4);
  one.hears(peer(2), msg::offer{one.core.table().digest()});
  CHECK(one.frames_of<msg::same>().size() == 1);
  CHECK(one.frames_of<msg::table>().empty());
  one.hears(peer(2), msg::offer{one.core.table().digest() + 1});
  auto tables = one.frames_of<msg::table>();
  REQUIRE(tables.size() == 1);
  CHECK(std::get<msg::table>(tables[0].frame.message).wanted);
  CHECK(tables[0].frame.updates.size() == 4);
  // Not again at once, whoever asks how often.
  one.hears(peer(2), msg::offer{1});
  one.hears(peer(2), msg::table{0, 1, true});
  CHECK(one.frames_of<msg::table>().size() == 1);
  one.now += 600ms;
  one.hears(peer(2), msg::table{0, 1, true});
  tables = one.frames_of<msg::table>();
  REQUIRE(tables.size() == 2);
  CHECK_FALSE(std::get<msg::table>(tables[1].frame.message).wanted);
}

TEST_CASE("M7: a table of 4,096 members travels in frames of at most 16 KiB") {
  membership_options how = lan_profile();
  how.new_members_per_second = 1'000'000'000;
  one_member one(how);
  one.found();
  for (std::uint64_t i = 2; i <= 4096; ++i)
    REQUIRE(one.hello(peer(i)) == hello_verdict::accepted);
  for (std::uint64_t i = 2; i <= 4096; ++i)
    one.hears(peer(2), msg::gossip{}, {about(peer(i), alive)});
  REQUIRE(one.core.table().size() == 4096);
  one.core.check();
  one.forget();
  one.now += 1s;
  one.hears(peer(2), msg::offer{0});
  std::set<node_id> told;
  std::size_t part = 0;
  for (const auto& effect : one.out)
    if (const auto* sent = std::get_if<said::send>(&effect))
      CHECK(sent->bytes.size() <= 16 * 1024);
  for (const auto& frame : one.frames_of<msg::table>()) {
    CHECK(std::get<msg::table>(frame.frame.message).part == part++);
    for (const auto& update : frame.frame.updates)
      told.insert(update.node);
  }
  CHECK(told.size() == 4096);
  CHECK(part == std::get<msg::table>(one.frames_of<msg::table>()[0].frame.message).parts);
  // Another one reads it all, at whatever rate: it is its first table.
  one_member other;
  peer_identity introducer = one_member::self_identity();
  introducer.node = node(5000);
  introducer.name = "introducer";
  introducer.address = "introducer:1";
  other.core.join({"introducer:1"}, other.now, other.out);
  REQUIRE(other.hello(introducer, "introducer:1") == hello_verdict::accepted);
  const auto parts = static_cast<std::uint16_t>(part);
  std::uint16_t next = 0;
  for (const auto& frame : one.frames_of<msg::table>())
    other.hears(introducer, msg::join_ok{next++, parts}, frame.frame.updates);
  CHECK(other.core.state() == self_state::joined);
  CHECK(other.core.table().size() == 4096);
  other.core.check();
}

// -- health and pauses --------------------------------------------------------

TEST_CASE("membership 3.4.7: nobody at all answers: perhaps it is this node; so it is patient") {
  one_member one;
  one.among(8);
  const auto nobody = [] {};
  one.core.link_down(node(2), one.now, one.out);
  one.wait(1001ms, nobody);
  CHECK(one.core.health() >= 1);
  const auto worse = one.core.health();
  one.wait(60s, nobody);
  CHECK(one.core.health() > worse);
  CHECK(one.core.health() <= membership::max_health);
}

TEST_CASE("membership 3.4.7: a dead member alone does not make this node think ill of itself") {
  one_member one;
  one.among(8);
  one.core.link_down(node(2), one.now, one.out);
  one.wait(1100ms, all_but_2(one));
  CHECK(one.state_of(peer(2)) == suspect);
  CHECK(one.core.health() == 0);
}

TEST_CASE("membership 3.4.7: each answered probe heals by one; a late tick costs one") {
  one_member one;
  one.among(4);
  const auto next = one.core.next_deadline().value();
  one.now = next + 600ms;
  one.core.tick(one.now, one.out);
  CHECK(one.core.health() == 1);
  one.wait(3s);
  CHECK(one.core.health() == 0);
}

TEST_CASE("membership 3.4.7: a node that is slow itself gives others twice as long to answer") {
  one_member one;
  one.among(8);
  one.now = one.core.next_deadline().value() + 600ms;
  one.core.tick(one.now, one.out);
  REQUIRE(one.core.health() == 1);
  one.core.link_down(node(2), one.now, one.out);
  const auto world = all_but_2(one);
  one.wait(1900ms, world);
  CHECK(one.state_of(peer(2)) == alive);
  one.wait(200ms, world);
  CHECK(one.state_of(peer(2)) == suspect);
}

TEST_CASE("membership 3.4.8: a node that was not running accuses nobody for its own absence") {
  one_member one;
  one.among(10);
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 0, node(3))});
  one.wait(23s, [&] { one.answer_pings([](node_id) { return true; }); });
  REQUIRE(one.state_of(peer(2)) == suspect);
  one.now += 60s; // SIGSTOP
  SECTION("by its timer") { one.core.tick(one.now, one.out); }
  SECTION("by what is in its socket") { one.hears(peer(4), msg::gossip{}); }
  CHECK(one.state_of(peer(2)) == suspect);
  CHECK(one.core.counts().pauses == 1);
  CHECK(one.core.health() == 2);
  one.hears(peer(2), msg::gossip{}, {}, 1);
  CHECK(one.state_of(peer(2)) == alive);
  one.wait(5s);
  CHECK(one.core.counts().pauses == 1);
}

// -- gossip -------------------------------------------------------------------

TEST_CASE("membership 3.4.9: news goes to three members every 200 ms, a bounded number of times") {
  one_member one;
  one.among(9); // 9 + 1 <= 10: four times one
  one.hears(peer(3), msg::gossip{}, {about(peer(2), suspect, 0, node(3))});
  std::size_t told = 0;
  std::vector<time_point> at;
  one.wait(10s, [&] {
    for (const auto& frame : one.frames()) {
      told += speaks_of(frame, node(2), suspect) &&
              !std::holds_alternative<msg::ping>(frame.frame.message);
      if (std::holds_alternative<msg::gossip>(frame.frame.message))
        at.push_back(one.now);
    }
    one.forget();
  });
  CHECK(told >= 4);
  CHECK(told <= 4 + 2);
  REQUIRE(at.size() % 3 == 0);
  for (std::size_t i = 3; i < at.size(); i += 3)
    CHECK(at[i] - at[i - 3] >= 200ms);
}

TEST_CASE("gossip queue: what was sent least goes first, and everything its number of times") {
  gossip_queue queue;
  for (member_slot i = 1; i <= 10; ++i)
    queue.push(i);
  std::map<member_slot, int> sends;
  int most = 0;
  int least = 0;
  for (int frame = 0; frame < 20; ++frame) {
    int room = 4;
    queue.take(8, 1, [&](member_slot one) { return room-- > 0 ? (++sends[one], true) : false; });
    most = least = sends[1];
    for (member_slot i = 1; i <= 10; ++i) {
      most = std::max(most, sends[i]);
      least = std::min(least, sends[i]);
    }
    CHECK(most - least <= 1);
  }
  CHECK(queue.empty());
  CHECK(least == 8);
}

// -- joining and leaving ----------------------------------------------------------

TEST_CASE("membership 3.5: a list with nobody but itself makes a node the first of its cluster") {
  one_member one;
  one.core.join({"self:1"}, one.now, one.out);
  CHECK(one.core.state() == self_state::joined);
  one_member two; // it only learns that this is itself when it is dialled
  two.core.join({"alias:1"}, two.now, two.out);
  CHECK(two.core.state() == self_state::joining);
  REQUIRE(two.all_of<said::dial>().size() == 1);
  CHECK(two.hello(one_member::self_identity(), "alias:1") == hello_verdict::itself);
  CHECK(two.core.state() == self_state::joined);
}

TEST_CASE("membership 3.5: seeds are tried for ever, with pauses of 0.1 to 5 s") {
  one_member one;
  one.core.join({"a:1", "b:1", "c:1"}, one.now, one.out);
  std::vector<time_point> at{one.now};
  std::set<std::string> dialled;
  one.wait(10min, [&] { at.push_back(one.now); });
  for (const auto& dial : one.all_of<said::dial>())
    dialled.insert(dial.address);
  CHECK(dialled.size() == 3);
  CHECK(at.size() > 110);
  CHECK(at[1] - at[0] <= 200ms);
  for (std::size_t i = 1; i < at.size(); ++i) {
    CHECK(at[i] - at[i - 1] <= 5s);
    CHECK(at[i] - at[i - 1] >= 100ms);
    if (i > 10)
      CHECK(at[i] - at[i - 1] >= 2500ms);
  }
}

TEST_CASE("membership 3.5: joining: dial, join, a table; then part of it") {
  one_member one;
  one.core.join({"peer2:1"}, one.now, one.out);
  CHECK(one.hello(peer(2), "peer2:1") == hello_verdict::accepted);
  const auto asked = one.frames_of<msg::join>();
  REQUIRE(asked.size() == 1);
  CHECK(std::get<msg::join>(asked[0].frame.message).cluster == "school");
  CHECK(speaks_of(asked[0], node(1), alive));
  // Nothing but an answer of that seed counts.
  one.hears(peer(3), msg::join_ok{0, 1}, {about(peer(9), alive)});
  one.hears(peer(2), msg::gossip{}, {about(peer(9), alive)});
  CHECK(one.core.table().size() == 1);
  one.hears(peer(2), msg::join_ok{0, 2}, {about(peer(2), alive), about(peer(4), alive)});
  CHECK(one.core.state() == self_state::joining);
  one.hears(peer(2), msg::join_ok{1, 2}, {about(peer(5), suspect)});
  CHECK(one.core.state() == self_state::joined);
  CHECK(one.core.table().size() == 4);
  CHECK(one.state_of(peer(5)) == suspect);
  CHECK(one.events() == "joined peer2\njoined peer4\njoined peer5\nsuspect peer5\n");
}

TEST_CASE("membership 3.5: two seeds that wait for each other end their wait") {
  one_member one;
  one.core.join({"peer2:1"}, one.now, one.out);
  one.asks_to_join(peer(2));
  CHECK(one.core.state() == self_state::joined);
  CHECK(one.frames_of<msg::join_ok>().size() == 1);
}

TEST_CASE("membership 3.5: a seed is dialled until tables were compared with it once") {
  one_member one;
  one.core.join({"peer2:1", "peer3:1"}, one.now, one.out);
  one.hello(peer(2), "peer2:1");
  one.hears(peer(2), msg::join_ok{0, 1}, {about(peer(2), alive)});
  one.forget();
  one.wait(20s);
  const auto dials = one.all_of<said::dial>();
  REQUIRE(dials.size() > 2);
  CHECK(std::all_of(dials.begin(), dials.end(), [](auto& d) { return d.address == "peer3:1"; }));
  one.hello(peer(3), "peer3:1");
  CHECK(one.frames_of<msg::offer>().size() >= 1);
  one.hears(peer(3), msg::same{});
  one.forget();
  one.wait(20s);
  CHECK(one.all_of<said::dial>().empty());
}

TEST_CASE("M10: another cluster is refused, in words, and nothing of it is taken in") {
  one_member one;
  one.found();
  peer_identity stranger = peer(2);
  stranger.cluster = "hospital";
  CHECK(one.hello(stranger) == hello_verdict::wrong_cluster);
  one.hears(stranger, msg::join{"hospital", 1, 0}, {about(stranger, alive)});
  const auto refused = one.frames_of<msg::refused>();
  REQUIRE(refused.size() == 1);
  const auto& why = std::get<msg::refused>(refused[0].frame.message);
  CHECK(why.reason == membership_refusal::wrong_cluster);
  CHECK(why.text.find("school") != std::string_view::npos);
  one.hears(stranger, msg::gossip{}, {about(peer(3), alive)});
  // Even when the hash of the cluster is right and the name is not.
  peer_identity liar = peer(4);
  one.hello(liar);
  one.hears(liar, msg::join{"hospital", 1, 0}, {about(liar, alive)});
  CHECK(one.core.table().size() == 1);
  CHECK(one.core.counts().wrong_cluster == 4);
}

TEST_CASE("membership 3.5: another major version is refused, another minor is not") {
  one_member one;
  one.found();
  one.asks_to_join(peer(2), 2);
  REQUIRE(one.frames_of<msg::refused>().size() == 1);
  CHECK_FALSE(one.knows(peer(2)));
  one.hears(peer(2), msg::join{"school", 1, 99}, {about(peer(2), alive)});
  CHECK(one.knows(peer(2)));
}

TEST_CASE("M8: leaving is told to log2 N + 2 members, and over when they have answered") {
  one_member one;
  one.among(9);
  one.core.leave(one.now, one.out);
  CHECK(one.core.state() == self_state::leaving);
  const auto told = one.frames_of<msg::leave>();
  CHECK(told.size() == 6);
  for (std::size_t i = 0; i < told.size(); ++i) {
    CHECK(one.core.state() == self_state::leaving);
    for (std::uint64_t k = 2; k <= 9; ++k)
      if (told[i].to == node(k))
        one.hears(peer(k), msg::ack{std::get<msg::leave>(told[i].frame.message).seq});
  }
  CHECK(one.core.state() == self_state::left);
  CHECK_FALSE(one.core.next_deadline());
}

TEST_CASE("M8: leaving ends after two seconds, whoever answers") {
  one_member one;
  one.among(5);
  one.core.leave(one.now, one.out);
  one.wait(1999ms, [] {});
  CHECK(one.core.state() == self_state::leaving);
  one.wait(2ms, [] {});
  CHECK(one.core.state() == self_state::left);
}

TEST_CASE("M8: whoever says goodbye has left, and is not revived by what it said before") {
  one_member one;
  one.among(4);
  one.hears(peer(2), msg::leave{3});
  CHECK(one.frames_of<msg::ack>().size() == 1);
  CHECK(one.events() == "left peer2\n");
  one.hears(peer(2), msg::gossip{});
  one.hears(peer(3), msg::gossip{}, {about(peer(2), alive)});
  one.hears(peer(3), msg::gossip{}, {about(peer(2), dead)});
  CHECK(one.state_of(peer(2)) == left);
  CHECK(one.hello(peer(2, 2)) == hello_verdict::accepted);
  CHECK(one.events() == "left peer2\njoined peer2\n");
}

TEST_CASE("membership 3.5: one of the dead is dialled every 5 to 10 s, and told when it answers") {
  one_member one;
  one.among(6);
  one.buries(peer(2), peer(3));
  one.buries(peer(4), peer(3));
  one.forget();
  one.wait(100s);
  const auto dials = one.all_of<said::dial>();
  CHECK(dials.size() >= 10);
  CHECK(dials.size() <= 20);
  std::set<node_id> who;
  for (const auto& dial : dials)
    who.insert(dial.node);
  CHECK(who == std::set<node_id>{node(2), node(4)});
  one.forget();
  CHECK(one.hello(peer(2), "peer2:1") == hello_verdict::accepted);
  CHECK(one.frames_of<msg::offer>().size() == 1);
  one.hears(peer(2), msg::offer{0});
  REQUIRE(one.frames_of<msg::table>().size() == 1);
  CHECK(speaks_of(one.frames_of<msg::table>()[0], node(2), dead));
  one.hears(peer(2), msg::gossip{}, {}, 1);
  CHECK(one.events() == "alive_again peer2\n");
}

TEST_CASE("membership 3.5: the dead and those that left are remembered for 24 hours") {
  one_member one;
  one.among(5);
  one.buries(peer(2), peer(3));
  one.hears(peer(4), msg::leave{1});
  const auto remembered = [&] { return one.knows(peer(2)) && one.knows(peer(4)); };
  one.wait(24h - 1s, [&] {
    one.answer_pings([](node_id) { return true; });
    one.forget();
  });
  CHECK(remembered());
  one.wait(2min, [&] {
    one.answer_pings([](node_id) { return true; });
    one.forget();
  });
  CHECK_FALSE(one.knows(peer(2)));
  CHECK_FALSE(one.knows(peer(4)));
  CHECK(one.core.table().size() == 3);
  one.asks_to_join(peer(2));
  CHECK(one.events() == "joined peer2\n");
}

TEST_CASE("membership: metadata reaches those who met the node before they heard of it") {
  one_member one;
  one.among(4);
  CHECK(one.hello(peer(2, 2)) == hello_verdict::accepted); // restarted
  const auto meta = std::as_bytes(std::span("zone=b", 6));
  auto update = about(peer(2, 2), alive);
  update.profile.meta = meta;
  one.hears(peer(3), msg::gossip{}, {update});
  CHECK(one.core.find(node(2))->meta == std::vector(meta.begin(), meta.end()));
  // And a change of it by the node itself.
  update.inc = 1;
  update.profile.meta = meta.first(4);
  one.hears(peer(3), msg::gossip{}, {update});
  CHECK(one.core.find(node(2))->meta.size() == 4);
  CHECK(one.events() == "replaced peer2\nchanged peer2\nchanged peer2\n");
}

TEST_CASE("membership: own metadata is told with a new incarnation") {
  one_member one;
  one.among(3);
  one.core.set_meta(std::as_bytes(std::span("zone=c", 6)), one.now, one.out);
  CHECK(one.own_inc() == 1);
  one.wait(300ms);
  const auto gossip = one.frames_of<msg::gossip>();
  REQUIRE(!gossip.empty());
  REQUIRE(speaks_of(gossip[0], node(1), alive));
  CHECK(gossip[0].frame.updates[0].profile.meta.size() == 6);
}

// -- bounds and options -----------------------------------------------------------

TEST_CASE("membership: options and identities out of bounds are refused with a reason") {
  const auto make = [](membership_options how, peer_identity self) {
    return membership::make(how, std::move(self), {}, 1).has_value();
  };
  const auto self = one_member::self_identity();
  for (const auto& how : {local_profile(), lan_profile(), wan_profile()})
    CHECK(make(how, self));
  auto how = lan_profile();
  how.probe_timeout = how.probe_interval;
  CHECK_FALSE(make(how, self));
  how = lan_profile();
  how.max_members = 4097;
  CHECK_FALSE(make(how, self));
  auto other = self;
  other.name = std::string(256, 'x');
  CHECK_FALSE(make(lan_profile(), other));
  other = self;
  other.address = "no spaces";
  CHECK_FALSE(make(lan_profile(), other));
  other = self;
  other.node = {};
  CHECK_FALSE(make(lan_profile(), other));
}

TEST_CASE("dial hints: bounded in number, each address at most once in five seconds") {
  dial_hints hints(1'000'000);
  const time_point now{1h};
  CHECK(hints.add(node(1), 2, "a:1", now));
  CHECK_FALSE(hints.add(node(1), 2, "a:1", now + 4s));
  CHECK(hints.add(node(1), 3, "a:1", now + 4s));
  CHECK(hints.add(node(1), 2, "a:1", now + 10s));
  CHECK_FALSE(hints.add(node(2), 2, "", now));
  std::size_t taken = 0;
  for (std::uint64_t i = 10; i < 1000; ++i)
    taken += hints.add(node(i), 1, "b:1", now + 20s + std::chrono::microseconds(i * 10)) ? 1 : 0;
  CHECK(taken == dial_hints::max_hints);
}

TEST_CASE("logarithms in integers: as the others, within a thousandth") {
  CHECK(ceil_log2(0) == 0);
  CHECK(ceil_log2(1) == 0);
  CHECK(ceil_log2(2) == 1);
  CHECK(ceil_log2(1000) == 10);
  CHECK(ceil_log2(1024) == 10);
  CHECK(ceil_log10(1) == 0);
  CHECK(ceil_log10(10) == 1);
  CHECK(ceil_log10(11) == 2);
  CHECK(ceil_log10(1001) == 4);
  CHECK(ceil_log10(UINT64_MAX) == 19);
  for (std::uint64_t n = 1; n < 5000; ++n) {
    const double exact = std::log10(static_cast<double>(n)) * 1000;
    REQUIRE(std::abs(static_cast<double>(log10_milli(n)) - exact) < 1.1);
  }
}
