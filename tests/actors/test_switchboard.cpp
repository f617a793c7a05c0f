// One switchboard: what it lets in, what it does not, and what it says about that.

#include "tests/support/one_switchboard.hpp"
#include <cstring>

using namespace edupulse;
using namespace edupulse::test;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
hello_message good_hello(std::uint64_t session = 11, bool bulk = false) {
  return one_switchboard::hello_of(peer(2), session, bulk);
}
/// The first eight bytes of a frame.
std::span<const std::byte> header(std::uint32_t length, std::uint32_t kind) {
  static std::uint32_t numbers[2];
  numbers[0] = length;
  numbers[1] = kind;
  return std::as_bytes(std::span(numbers));
}
std::vector<std::byte> words(std::size_t count) { return std::vector<std::byte>(8 * count); }

} // namespace

TEST_CASE("G60: a session is up for the side that was dialled when the other one speaks") {
  one_switchboard at;
  const auto control = at.accept();
  at.says(control, good_hello());
  CHECK(at.hello_to(control).session == 11);
  CHECK(at.up.empty());
  const auto bulk = at.accept();
  at.says(bulk, good_hello(11, true));
  CHECK(at.hello_to(bulk).bulk);
  at.asks_in(control, peer(2));
  CHECK(at.up.empty());
  at.says(control, one_switchboard::resume());
  REQUIRE(at.up.size() == 1);
  CHECK(at.up[0].number == 11);
  CHECK(at.up[0].control == control);
  CHECK(at.up[0].bulk == bulk);
  REQUIRE(at.frames.size() == 1);
  CHECK(at.frames[0].session == 11);
  CHECK(at.core.strangers() == 0);
}

TEST_CASE("G60: a hello that comes a byte at a time is the same hello") {
  one_switchboard at;
  const auto control = at.accept();
  frame_bytes bytes;
  append_frame(bytes, good_hello());
  for (const auto& one : bytes)
    at.says(control, std::as_bytes(std::span(&one, 1)));
  CHECK(at.kinds_to(control).front() == frame_kind::hello);
  CHECK(at.core.strangers() == 0);
}

TEST_CASE("G61: who does not say who it is in time is cut off, however busy it looks") {
  one_switchboard at;
  const auto silent = at.accept();
  const auto slow = at.accept();
  frame_bytes bytes;
  append_frame(bytes, good_hello());
  for (std::size_t i = 0; i < 4; ++i) {
    at.says(slow, std::as_bytes(std::span(bytes).subspan(i, 1)));
    at.wait(1s);
  }
  CHECK_FALSE(at.is_closed(silent));
  at.wait(1s);
  CHECK(at.is_closed(silent));
  CHECK(at.is_closed(slow));
  CHECK(at.core.counted().too_slow == 2);
  CHECK(at.core.strangers() == 0);
  CHECK(at.core.connections() == 0);
}

TEST_CASE("G61: a session whose second connection or first word does not come is given up") {
  one_switchboard at;
  const auto control = at.accept();
  at.says(control, good_hello());
  at.wait(5s);
  CHECK(at.is_closed(control));
  const auto again = at.accept();
  at.says(again, good_hello(12));
  const auto bulk = at.accept();
  at.says(bulk, good_hello(12, true));
  at.wait(5s);
  CHECK(at.is_closed(again));
  CHECK(at.is_closed(bulk));
  CHECK(at.up.empty());
  CHECK(at.core.connections() == 0);
}

TEST_CASE("G61: one address has so many strangers at most, and all of them together as well") {
  one_switchboard at({.strangers = 10, .strangers_of_address = 4});
  for (int i = 0; i < 4; ++i)
    CHECK_FALSE(at.is_closed(at.accept("10.0.0.1")));
  CHECK(at.is_closed(at.accept("10.0.0.1")));
  const auto member = at.accept("10.0.0.2"); // from elsewhere there is room
  at.says(member, good_hello());
  CHECK_FALSE(at.is_closed(member));
  CHECK(at.core.strangers() == 4); // who is known is no stranger
  for (int i = 0; i < 6; ++i)
    CHECK_FALSE(at.is_closed(at.accept("10.0.1." + std::to_string(i))));
  for (int i = 0; i < 6; ++i)
    CHECK(at.is_closed(at.accept("10.0.2." + std::to_string(i))));
  CHECK(at.core.counted().strangers_refused == 7);
  at.wait(5s);
  CHECK(at.core.strangers() == 0);
  CHECK(at.core.addresses_of_strangers() == 0); // nor is anything kept of those refused
  CHECK_FALSE(at.is_closed(at.accept("10.0.0.1")));
}

TEST_CASE("G60, G61: who says hello and does not come in has no session, and not for long") {
  one_switchboard at;
  const auto [control, bulk] = at.meet(peer(2), 11);
  at.wait(4s);
  CHECK_FALSE(at.is_closed(control));
  SECTION("it says nothing more") { at.wait(1s); }
  SECTION("it goes") { at.ends(control); }
  SECTION("it goes on as if it were in") { at.says(control, one_switchboard::resume()); }
  SECTION("it sends events") { at.says(bulk, frame_kind::events, words(2)); }
  CHECK(at.is_closed(bulk));
  CHECK(at.up.empty());
  CHECK(at.lost.empty());
  CHECK(at.frames.empty());
  CHECK(at.core.connections() == 0);
  CHECK_FALSE(at.core.members().find(peer(2).node));
}

TEST_CASE(
    "G60: whose joining is not heard at first has a session when it is, and its first word is "
    "not lost") {
  one_switchboard at;
  std::map<std::uint64_t, connection_id> control;
  const auto in_a_second = lan_profile().new_members_per_second;
  for (std::uint64_t i = 2; i <= in_a_second + 2; ++i)
    control[i] = at.join(peer(i), 100 + i).first;
  const auto& late = peer(in_a_second + 2);
  CHECK(at.up.size() == in_a_second);
  CHECK(at.frames.size() == in_a_second);
  CHECK(at.core.members().counts().rate_limited == 1);
  at.wait(1s);
  at.asks_in(control[in_a_second + 2], late);
  REQUIRE(at.up.size() == in_a_second + 1);
  CHECK(at.up.back().who.node == late.node);
  REQUIRE(at.frames.size() == in_a_second + 1);
  CHECK(at.frames.back().from == late.node);
  at.wait(4s); // nor is it taken for one that is late
  CHECK(at.core.is_connected(late.node));
}

TEST_CASE("G60: with the node that lets this one in there is a session once this one is in") {
  one_switchboard at;
  at.seek("elsewhere:1");
  const auto control = at.connected();
  const auto number = at.hello_to(control).session;
  at.says(control, one_switchboard::hello_of(peer(2), number, false));
  const auto bulk = at.connected();
  at.says(bulk, one_switchboard::hello_of(peer(2), number, true));
  CHECK(at.up.empty());
  at.says(
      control, frame_kind::membership,
      one_member::frame(peer(2), msg::table{0, 1, false}, {about(peer(2), member_state::alive)}));
  REQUIRE(at.up.size() == 1);
  CHECK(at.up[0].bulk == bulk);
}

TEST_CASE("G40, G60: who is believed dead has a session again when it has said that it lives") {
  one_switchboard at;
  at.join(peer(2), 11);
  at.wait(60s);
  REQUIRE(at.lost == std::vector<std::uint64_t>{11});
  REQUIRE(at.core.members().find(peer(2).node)->state == member_state::dead);
  const auto [control, bulk] = at.meet(peer(2), 12);
  CHECK(at.up.size() == 1);
  at.says(control, frame_kind::membership, one_member::frame(peer(2), msg::gossip{}, {}, 1));
  REQUIRE(at.up.size() == 2);
  CHECK(at.core.is_connected(peer(2).node));
}

TEST_CASE("G62: a hello that does not fit is refused, and the refusal says why") {
  one_switchboard at({.agreed = {{"profile", "lan"}, {"max_event_bytes", "1048576"}}});
  const auto refused = [&](const hello_message& what) {
    const auto which = at.accept();
    at.says(which, what);
    CHECK(at.is_closed(which));
    return at.refusal_to(which);
  };
  auto other = good_hello();
  other.cluster = "college";
  CHECK(refused(other).reason == refusal_reason::wrong_cluster);
  CHECK(has(refused(other).text, "college"));
  CHECK_FALSE(has(refused(other).text, "school")); // it may not learn the right one
  other = good_hello();
  other.version_major = 2;
  CHECK(refused(other).reason == refusal_reason::version);
  CHECK(has(refused(other).text, "version 1"));
  other = good_hello();
  other.settings = {{"profile", "wan"}, {"unknown", "x"}};
  CHECK(refused(other).reason == refusal_reason::settings);
  for (const auto* part : {"profile", "lan", "wan"})
    CHECK(has(refused(other).text, part));
  other = good_hello();
  other.max_event_bytes = (1u << 20) - 1; // it would cut this node for what this node may send
  CHECK(refused(other).reason == refusal_reason::settings);
  for (const auto* part : {"max_event_bytes", "1048576", "1048575"})
    CHECK(has(refused(other).text, part));
  CHECK(has(refused(good_hello(0)).text, "number"));
  CHECK(has(refused(good_hello(11, true)).text, "no such session"));
  other = good_hello();
  other.address.clear();
  CHECK(refused(other).reason == refusal_reason::other);
  CHECK(at.core.connections() == 0);
  CHECK(at.up.empty());
  const auto good = at.accept();
  at.says(good, good_hello());
  CHECK_FALSE(at.is_closed(good));
}

TEST_CASE("G62: what is no hello ends a connection at once, and no other one") {
  one_switchboard at;
  const auto [control, bulk] = at.join(peer(3), 33);
  const auto cut = [&](auto... what) {
    const auto which = at.accept();
    at.says(which, what...);
    CHECK(at.kinds_to(which).empty()); // not a word to who knows nothing
    return at.is_closed(which);
  };
  CHECK(cut(bytes_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
  CHECK(cut(header(0, 0)));
  CHECK(cut(header(0, 1)));              // a hello of no bytes
  CHECK(cut(header(0xffffffff, 1)));     // of 4 GiB
  CHECK(cut(header(0x7fffffff, 1)));     // of 2 GiB
  CHECK(cut(header((16 << 10) + 8, 1))); // one word more than a hello may have
  for (const auto kind : {frame_kind::hello, frame_kind::refusal, frame_kind::control,
                          frame_kind::events, frame_kind::membership})
    CHECK(cut(kind, words(2)));
  CHECK_FALSE(at.is_closed(control));
  CHECK_FALSE(at.is_closed(bulk));
  CHECK(at.core.strangers() == 0);
  CHECK(at.core.counted().broken == 11);
  CHECK(at.lost.empty());
}

TEST_CASE("G62: a connection carries what belongs on it, and that when its session is up") {
  one_switchboard at;
  const auto early = at.accept();
  at.says(early, good_hello());
  at.says(early, one_switchboard::resume()); // before the bulk connection
  CHECK(at.is_closed(early));
  const auto control = at.accept();
  at.says(control, good_hello(12));
  const auto bulk = at.accept();
  at.says(bulk, good_hello(12, true));
  at.says(bulk, frame_kind::events, words(2)); // before the first word on the control one
  CHECK(at.is_closed(control));
  CHECK(at.is_closed(bulk));
  CHECK(at.up.empty());
  CHECK(at.frames.empty());
  const auto first = at.join(peer(2), 13);
  at.says(first.first, frame_kind::events, words(2));
  CHECK(at.is_closed(first.first));
  const auto second = at.join(peer(2), 14);
  at.says(second.second, one_switchboard::resume());
  CHECK(at.is_closed(second.second));
  const auto third = at.join(peer(2), 15);
  at.says(third.first, good_hello(15)); // a hello again
  CHECK(at.is_closed(third.first));
  CHECK(at.lost == std::vector<std::uint64_t>{13, 14, 15});
  CHECK(at.core.connections() == 0);
}

TEST_CASE("G62: a second bulk connection, or one of another node, is refused; the first goes on") {
  one_switchboard at;
  const auto [control, bulk] = at.join(peer(2), 11);
  for (const auto& who : {peer(2), peer(3), peer(2, 2)}) {
    const auto more = at.accept();
    at.says(more, one_switchboard::hello_of(who, 11, true));
    CHECK(has(at.refusal_to(more).text, "no such session"));
    CHECK(at.is_closed(more));
  }
  at.says(bulk, frame_kind::events, words(2));
  CHECK(at.frames.size() == 2);
  CHECK_FALSE(at.is_closed(control));
}

TEST_CASE("G62: the number of one node's session is not another one's to use, whoever dials") {
  one_switchboard at;
  at.join(peer(2), 11);
  const auto which = at.accept();
  at.says(which, one_switchboard::hello_of(peer(3), 11, false));
  CHECK(at.is_closed(which));
  CHECK(at.refusal_to(which).reason == refusal_reason::other);
  CHECK(has(at.refusal_to(which).text, "number"));
  at.seek("elsewhere:1");
  const auto dialed = at.connected(); // peer 3 tells peer 2 the number that it is about to answer
  const auto number = at.hello_to(dialed).session;
  at.join(peer(2), number);
  at.says(dialed, one_switchboard::hello_of(peer(3), number, false));
  CHECK(at.is_closed(dialed));
  CHECK(at.core.is_connected(peer(2).node));
  CHECK(at.lost == std::vector<std::uint64_t>{11});
  at.join(peer(3), 12);
  CHECK(at.core.is_connected(peer(3).node));
}

TEST_CASE("G60: a session has the features that both sides have") {
  one_switchboard at;
  const auto control = at.accept();
  auto hello = good_hello();
  hello.features = ~std::uint64_t(0);
  at.says(control, hello);
  const auto own = at.hello_to(control).features;
  const auto bulk = at.accept();
  at.says(bulk, good_hello(11, true));
  at.says(control, one_switchboard::resume());
  at.asks_in(control, peer(2));
  REQUIRE(at.up.size() == 1);
  CHECK(at.up[0].features == own);
}

TEST_CASE("G82: a node that is met by an earlier start of itself goes to tell it") {
  one_switchboard at;
  auto earlier = one_member::self_identity();
  --earlier.boot_epoch;
  earlier.address = "earlier:1";
  for (std::uint64_t session = 11; session < 14; ++session) {
    const auto which = at.accept();
    at.says(which, one_switchboard::hello_of(earlier, session, false));
    CHECK(at.refusal_to(which).reason == refusal_reason::fenced);
  }
  REQUIRE(at.dials.size() == 1); // however often it comes
  CHECK(at.dials[0].address == "earlier:1");
  CHECK(at.hello_to(at.connected()).boot_epoch == one_member::self_identity().boot_epoch);
}

TEST_CASE("G82: a node that meets a later start of itself ends its sessions and seeks no others") {
  one_switchboard at;
  const auto other = at.join(peer(2), 11);
  auto later = one_member::self_identity();
  ++later.boot_epoch;
  later.address = "later:1";
  const auto which = at.accept();
  at.says(which, one_switchboard::hello_of(later, 12, false));
  CHECK(at.refusal_to(which).reason == refusal_reason::stopping);
  CHECK(at.core.members().state() == self_state::fenced);
  CHECK(at.core.members().members().front().state == member_state::left);
  CHECK(at.is_closed(other.first));
  CHECK(at.lost == std::vector<std::uint64_t>{11});
  at.wait(60s);
  CHECK(at.dials.empty());
  CHECK(at.core.connections() == 0);
}

TEST_CASE("G63: a node has the name that its certificate says, on both of its connections") {
  one_switchboard at({.secure = true});
  const auto secured = [&](const std::string& name, const hello_message& what) {
    const auto which = at.accept();
    at.is_certified(which, name);
    at.says(which, what);
    return which;
  };
  const auto early = at.accept();
  at.says(early, good_hello()); // before TLS is done
  CHECK(at.is_closed(early));
  CHECK(at.refusal_to(secured("peer3", good_hello())).reason == refusal_reason::name);
  const auto control = secured("peer2", good_hello());
  CHECK_FALSE(at.is_closed(control));
  // Another member that knows the number of the session, and says whose it is, in its own name.
  auto foreign = good_hello(11, true);
  foreign.name = "peer3";
  CHECK(at.is_closed(secured("peer3", foreign)));
  CHECK_FALSE(at.is_closed(secured("peer2", good_hello(11, true))));
}

TEST_CASE("G63: a member's id is not another one's to claim, nor is this node's own") {
  one_switchboard at({.secure = true});
  const auto certified = [&](const std::string& name, const hello_message& what) {
    const auto which = at.accept();
    at.is_certified(which, name);
    at.says(which, what);
    return which;
  };
  const auto control = certified("peer2", good_hello());
  certified("peer2", good_hello(11, true));
  at.says(control, one_switchboard::resume());
  at.asks_in(control, peer(2));
  REQUIRE(at.core.is_connected(peer(2).node));
  auto claim = good_hello(12); // a later start of peer2, says peer3
  claim.boot_epoch = 9;
  claim.name = "peer3";
  const auto thief = certified("peer3", claim);
  CHECK(at.refusal_to(thief).reason == refusal_reason::conflict);
  CHECK(at.core.is_connected(peer(2).node));
  claim.node = one_member::self_identity().node; // a later start of this very node
  const auto usurper = certified("peer3", claim);
  CHECK(at.refusal_to(usurper).reason == refusal_reason::conflict);
  CHECK(at.core.members().state() == self_state::joined);
}

TEST_CASE("G64: a member that was restarted takes its place, and its old start is shut out") {
  one_switchboard at;
  const auto old = at.join(peer(2, 3), 11);
  REQUIRE(at.core.members().find(peer(2).node));
  const auto fresh = at.join(peer(2, 4), 12);
  CHECK(at.is_closed(old.first));
  CHECK(at.is_closed(old.second));
  CHECK(at.lost == std::vector<std::uint64_t>{11});
  REQUIRE(at.up.size() == 2);
  CHECK(at.up[1].who.boot_epoch == 4);
  const auto late = at.accept();
  at.says(late, one_switchboard::hello_of(peer(2, 3), 13, false));
  const auto said = at.refusal_to(late);
  CHECK(said.reason == refusal_reason::fenced);
  CHECK(said.boot_epoch == 4);
  CHECK(said.address == peer(2, 4).address);
  CHECK(at.is_closed(late));
  CHECK_FALSE(at.is_closed(fresh.first));
}

TEST_CASE("G64: a start that was met before it was known as a member shuts out the earlier one") {
  one_switchboard at;
  at.meet(peer(2, 2), 11);
  const auto other = at.join(peer(3), 33);
  at.says(other.first, frame_kind::membership,
          one_member::frame(peer(3), msg::gossip{}, {about(peer(2, 2), member_state::alive)}));
  REQUIRE(at.core.is_connected(node(2)));
  const auto old = at.accept();
  at.says(old, at.hello_of(peer(2, 1), 12, false));
  CHECK(at.refusal_to(old).reason == refusal_reason::fenced);
  CHECK(at.core.is_connected(node(2)));
  CHECK(at.lost.empty());
}

TEST_CASE("G64: a node of the same name with a fresh id takes the place of the one before") {
  one_switchboard at;
  const auto old = at.join(peer(2), 11);
  auto anew = peer(3);
  anew.name = peer(2).name;
  at.join(anew, 12);
  CHECK(at.is_closed(old.first));
  CHECK(at.core.is_connected(anew.node));
  CHECK_FALSE(at.core.is_connected(peer(2).node));
}

TEST_CASE("G64: a member that comes anew under the name of another one takes that one's place, and "
          "nobody dials that one any more") {
  one_switchboard at;
  const auto old = at.join(peer(2), 11);
  at.join(peer(3), 12);
  auto anew = peer(3, peer(3).boot_epoch + 1);
  anew.name = peer(2).name;
  at.join(anew, 13);
  CHECK(at.is_closed(old.first));
  CHECK(at.core.is_connected(anew.node));
  CHECK_FALSE(at.core.is_connected(peer(2).node));
  at.dials.clear();
  at.wait(2s); // who has no session is tried again well before that
  for (const auto& dial : at.dials)
    CHECK(dial.address != peer(2).address);
}

TEST_CASE("G64: a peer that lost a session and comes again has it, at once") {
  one_switchboard at;
  const auto first = at.join(peer(2), 11);
  const auto second = at.join(peer(2), 12);
  CHECK(at.is_closed(first.first));
  CHECK(at.lost == std::vector<std::uint64_t>{11});
  CHECK(at.core.is_connected(peer(2).node));
  at.ends(second.second); // one connection ends, and both are over
  CHECK(at.is_closed(second.first));
  CHECK(at.lost == std::vector<std::uint64_t>{11, 12});
}

TEST_CASE("an answer to another hello than the one that was sent is refused") {
  one_switchboard at;
  at.seek("elsewhere:1");
  REQUIRE(at.dials.size() == 1);
  const auto which = at.connected();
  const auto sent = at.hello_to(which);
  CHECK(sent.session != 0);
  at.says(which, good_hello(sent.session + 1));
  CHECK(at.is_closed(which));
  CHECK(at.up.empty());
}

TEST_CASE(
    "a node that is given its own address, in whatever spelling, is the first of its cluster") {
  one_switchboard at;
  at.seek("localhost:4711");
  REQUIRE(at.dials.size() == 1);
  const auto outer = at.connected();
  const auto inner = at.accept("127.0.0.1");
  at.says(inner, at.hello_to(outer));
  CHECK(at.is_closed(outer));
  CHECK(at.is_closed(inner));
  CHECK(at.core.members().state() == self_state::joined);
  at.wait(60s);
  CHECK(at.dials.size() == 1); // nor is it tried again
}

TEST_CASE("G60: of two sessions that crossed, the one that the smaller id has dialled is left") {
  // This node is node 1: 0 is smaller, 2 is larger. The other's session comes first, or ours does.
  for (const std::uint64_t other : {0, 2})
    for (const bool ours_first : {false, true}) {
      INFO("peer " << other << (ours_first ? ", ours first" : ", theirs first"));
      one_switchboard at;
      at.seek("elsewhere:1");
      const auto dialed = at.connected();
      const auto number = at.hello_to(dialed).session;
      const auto accepted = [&] {
        const auto which = at.accept();
        at.says(which, one_switchboard::hello_of(peer(other), number + 1, false));
        return which;
      };
      connection_id theirs = ours_first ? 0 : accepted();
      at.says(dialed, one_switchboard::hello_of(peer(other), number, false));
      if (ours_first)
        theirs = accepted();
      const bool ours_is_left = other == 2;
      CHECK(at.is_closed(theirs) == ours_is_left);
      CHECK(at.is_closed(dialed) != ours_is_left);
      CHECK(at.core.counted().duplicates == (ours_first == ours_is_left ? 1 : 0));
    }
}
