// Attacks by members on what members tell each other, and on who listens to them.

#include "tests/support/attacked.hpp"
#include "tests/support/raw_peer.hpp"
#include <vector>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

TEST_CASE("G67: metadata of any length makes no member, and who goes on with it is heard no more") {
  attacked at;
  rogue_member who(at.a.address(), 9);
  eventually([&] { return at.seen("peer9").has_value(); });
  const auto with_metadata = [](std::uint64_t number, std::span<const std::byte> meta) {
    auto update = about(peer(number), member_state::alive);
    update.profile.meta = meta;
    return update;
  };
  const std::vector<std::byte> huge(15'000, std::byte{0x41});
  std::uint64_t number = 2000;
  for (const std::size_t size : {513, 4096, 15'000}) {
    const auto before = at.count("membership.malformed");
    const auto meta = std::span(huge).first(size);
    REQUIRE(who.tell(msg::gossip{}, {with_metadata(number++, meta)}));
    REQUIRE(who.tell(msg::join{who.who.cluster, 1, 0}, {with_metadata(9, meta)}));
    eventually([&] { return at.count("membership.malformed") == before + 2; });
  }
  CHECK(at.a.members().size() == 3);
  for (int i = 0; i < 100; ++i) // what each of them may be, and many more of them
    REQUIRE(who.tell(msg::gossip{}, {with_metadata(number++, std::span(huge).first(513))}));
  REQUIRE(who.tell(msg::gossip{}, {about(peer(5000), member_state::alive)}));
  eventually([&] { return at.count("membership.quarantined") > 0; });
  CHECK_FALSE(at.seen("peer5000"));
  CHECK(at.a.members().size() == 3);
  at.serves();
}

TEST_CASE(
    "G67: the longest metadata there may be, of as many members as can be said, is taken from "
    "so many a second") {
  attacked at;
  rogue_member who(at.a.address(), 9);
  const std::vector<std::byte> longest(512, std::byte{0x41});
  std::uint64_t number = 10'000;
  for (int i = 0; i < 200; ++i) {
    std::vector<member_update> updates;
    for (int k = 0; k < 20; ++k) {
      updates.push_back(about(peer(number++), member_state::alive));
      updates.back().profile.meta = longest;
    }
    REQUIRE(who.tell(msg::gossip{}, updates));
  }
  at.serves();
  eventually([&] { return at.count("membership.rate_limited") > 1000; }); // all of it was read
  CHECK(at.a.members().size() < 1000);                                    // of 4,000
}

TEST_CASE("G66: a member that asks for answers and reads none of them is cut when too much waits "
          "for it") {
  auto how_a = attacked_options("a");
  auto how_b = attacked_options("b");
  how_a.cluster.profile = how_b.cluster.profile = network_profile::wan; // it answers no ping
  how_a.log = log_level::info;
  attacked at(std::move(how_a), std::move(how_b));
  rogue_member who(at.a.address(), 9);
  frame_bytes pings;
  const msg::ping ping{1, at.seen("a")->id};
  for (int i = 0; i < 1000; ++i)
    append_frame(pings, frame_kind::membership, one_member::frame(who.who, ping));
  while (who.control.send(std::as_bytes(std::span(pings)))) // until nobody takes it any more
    continue;
  eventually([&] { return at.said.has("it does not read what it is told"); });
  CHECK_FALSE(at.seen("peer9")->connected);
  at.serves();
}
