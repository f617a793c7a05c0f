// Attacks on a running node without TLS: by strangers, and by members that do not keep to the
// protocol. After each the node serves an honest member as before.

#include "actors/frame_reader.hpp"
#include "actors/interest.hpp"
#include "tests/support/attacked.hpp"
#include "tests/support/events.hpp"
#include "tests/support/raw_peer.hpp"
#include <cstring>
#include <functional>
#include <list>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

std::string header(std::uint32_t length, std::uint32_t kind) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 4);
  std::memcpy(bytes.data() + 4, &kind, 4);
  return bytes;
}

/// A hello whose settings claim to be `count` structs of no size.
std::string amplified_hello(std::uint64_t count) {
  frame_bytes bytes;
  auto what = one_switchboard::hello_of(peer(9), 5, false);
  what.settings = {{"profile", "local"}};
  append_frame(bytes, what);
  std::string text(bytes.begin(), bytes.end());
  // The pointer to the settings is the one list of composite elements: its tag says how many.
  for (std::size_t at = 8; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 3) == 1 && (word >> 32 & 7) == 7) {
      word = (word & 0x7ffffffffu) | count << 35;
      std::memcpy(text.data() + at, &word, 8);
    }
  }
  return text;
}

frame_bytes events_of(node_id publisher, std::uint32_t subscription, std::uint64_t dseq) {
  auto events = std::make_shared<chunk>();
  events->entries.push_back(make_entry(make_event({.publisher = publisher})));
  std::vector<outgoing_run> runs(1);
  runs[0].events = {events, 0, 1, 0};
  runs[0].targets = {{subscription, dseq, 0}};
  frame_bytes frame;
  append_frame(frame, runs);
  return frame;
}

} // namespace

TEST_CASE("G65: what is no hello closes a connection at once: other protocols, impossible lengths, "
          "events and commands of strangers") {
  attacked at;
  const std::vector<std::string> all = {
      header(0, 0),
      header(0, 1),
      header(0xffffffff, 1),
      header(0x7fffffff, 4),
      header((16 << 10) + 8, 1),
      header(8, 9) + std::string(8, '\0'),
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "EHLO somebody\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), // TLS
      std::string("\0\0\0\0\0\0\0\0\xba\x5b\0\0", 12),
      "stats\r\nversion\r\n",
      header(16, 3) + std::string(16, '\0'),
      header(16, 4) + std::string(16, '\0'),
      header(16, 5) + std::string(16, '\0'),
      amplified_hello(1u << 29),
      amplified_hello(100'000)};
  for (const auto& bytes : all) {
    raw_peer who(at.a.address());
    who.send(bytes);
    CHECK(who.read_to_end().empty()); // and learns nothing
  }
  at.serves();
}

TEST_CASE("G65: a hello of another cluster, a replayed one, and one without its other half change "
          "nothing for members") {
  attacked at;
  {
    auto hello = one_switchboard::hello_of(peer(9), 5, false);
    hello.cluster = "college";
    raw_peer who(at.a.address());
    who.say(hello);
    CHECK(who.next_frame() == frame_kind::refusal);
    who.read_to_end();
  }
  for (int i = 0; i < 20; ++i) { // the same words again and again, and events behind the first ones
    raw_peer who(at.a.address());
    who.say(one_switchboard::hello_of(peer(9), 5, false));
    CHECK(who.next_frame() == frame_kind::hello);
    raw_peer bulk(at.a.address());
    bulk.say(one_switchboard::hello_of(peer(9), 5, true));
    CHECK(bulk.next_frame() == frame_kind::hello);
    const auto frame = events_of(peer(9).node, 1, 1);
    bulk.send(std::as_bytes(std::span(frame)));
    bulk.read_to_end();
  }
  at.serves();
  CHECK(at.handled == 1);
}

TEST_CASE("G61, G65: silent and slow strangers are cut off in time, and however many they are, "
          "members come in meanwhile") {
  attacked at;
  std::list<raw_peer> crowd;
  for (int i = 0; i < 300; ++i)
    crowd.emplace_back(at.a.address(), "127.0.0.2");
  raw_peer slow(at.a.address(), "127.0.0.3");
  slow.send(header(800, 1));
  {
    auto c = attacked::start_at(at.a, attacked_options("c"));
    eventually([&] { return at.seen("c") && at.seen("c")->connected; });
    at.serves();
    c.stop();
  }
  std::size_t at_once = 0;
  for (auto& one : crowd)
    at_once += one.is_closed();
  CHECK(at_once >= 300 - 64);
  while (slow.send("x")) // a byte at a time, for as long as it is let
    std::this_thread::yield();
  for (auto& one : crowd)
    CHECK(one.read_to_end().empty());
  at.serves();
}

TEST_CASE("G66: a member cannot publish in another one's name") {
  attacked at;
  rogue_member who(at.b.address(), 9);
  const auto b_first = events_of(at.seen("a")->id, 1, 1); // as if the other node had published it
  who.bulk.send(std::as_bytes(std::span(b_first)));
  who.control.read_to_end();
  CHECK(at.handled == 0);
  at.serves();
  CHECK(at.handled == 1);
}

TEST_CASE("G66: words from the future, and those that do not belong where they come, end a session "
          "and settle nothing") {
  attacked at;
  const std::vector<std::function<void(rogue_member&)>> lies = {
      [](auto& who) {
        who.control.say(control_message(link_taken{1u << 30, 0}));
      },
      [](auto& who) {
        who.control.say(control_message(link_taken{0, UINT64_MAX}));
      },
      [](auto& who) {
        who.control.say(control_message(link_numbered{77, std::vector<ack_run>{}}));
      },
      [](auto& who) {
        who.control.say(control_message(link_resume{UINT64_MAX, {}}));
      },
      [](auto& who) { who.numbered(std::vector<std::byte>(64, std::byte{0xff})); },
      [](auto& who) { who.control.say(frame_kind::events, std::vector<std::byte>(16)); },
      [](auto& who) {
        const auto frame = events_of(who.who.node, 1, 1u << 20); // from nowhere near the first
        who.bulk.send(std::as_bytes(std::span(frame)));
      }};
  std::uint64_t number = 10;
  for (const auto& lie : lies) {
    INFO("lie " << number - 10);
    rogue_member who(at.b.address(), number++);
    lie(who);
    who.control.read_to_end();
    who.bulk.read_to_end();
    at.serves();
  }
}

TEST_CASE("G66: interest in a flood delays nobody for long, and a number that is used twice ends "
          "the session") {
  attacked at;
  rogue_member who(at.a.address(), 9);
  std::uint32_t number = 0;
  const auto announce = [&](std::uint64_t version) {
    interest_message many;
    many.version = version;
    for (int k = 0; k < 20; ++k) {
      ++number;
      many.added.push_back({number, "s" + std::to_string(number),
                            topic_filter::parse("flood.t" + std::to_string(number)).value()});
    }
    return who.numbered(encode(many));
  };
  for (std::uint64_t version = 1; version <= 500; ++version)
    REQUIRE(announce(version));
  at.serves();
  number = 0;
  announce(501);
  who.control.read_to_end();
  at.serves();
}

TEST_CASE("G67: a member that invents members, and calls the others dead, is believed by nobody") {
  attacked at;
  const auto b = at.seen("b").value();
  rogue_member who(at.a.address(), 9);
  std::uint64_t invented = 1000;
  for (int i = 0; i < 500; ++i) {
    std::vector<member_update> updates;
    for (int k = 0; k < 20; ++k)
      updates.push_back(about(peer(invented++), member_state::alive));
    for (const auto state : {member_state::dead, member_state::suspect}) {
      member_update lie{b.id, b.epoch, UINT64_MAX >> 1, state, who.who.node, {}};
      if (state == member_state::suspect)
        lie.profile = {b.name, b.address, {}};
      updates.push_back(lie);
    }
    if (!who.tell(msg::gossip{}, updates))
      break;
  }
  at.serves();
  CHECK(at.a.members().size() < 1000); // of 10,000: so many a second at most
  eventually([&] {
    const auto now = at.seen("b");
    return now && now->state == member_state::alive && now->connected;
  });
  at.serves();
}

TEST_CASE("G12, G66: a member that takes events and reads nothing delays the others for "
          "`stall_after` and no longer") {
  attacked at;
  rogue_member who(at.a.address(), 9);
  interest_message wish;
  wish.version = 1;
  wish.added.push_back({1, "sponge", topic_filter::parse("lesson.published").value()});
  wish.added[0].overload.events = 100;
  wish.added[0].overload.stall_after = 200ms;
  who.numbered(encode(wish));
  REQUIRE(at.a.ready("lesson.published", 2, 20s));
  const std::string title(1000, 'x');
  const int before = at.handled;
  for (int i = 0; i < 20'000; ++i)
    REQUIRE(at.a.publish<LessonPublished>([&](auto lesson) { lesson.setTitle(title); }));
  eventually([&] { return at.handled == before + 20'000; });
}

TEST_CASE(
    "G22: a member whose frame of events is long on its way is told that more of it has come") {
  auto how_a = attacked_options("a");
  auto how_b = attacked_options("b");
  how_a.cluster.profile = how_b.cluster.profile = network_profile::wan; // it answers no ping
  attacked at(std::move(how_a), std::move(how_b));
  rogue_member who(at.a.address(), 9);
  who.bulk.send(header(1 << 20, 4));
  frame_reader reader(link_limits::control_bytes);
  bool told = false;
  eventually([&] {
    REQUIRE(who.bulk.send(std::string(8, 'x')));
    std::vector<std::byte> said;
    if (who.control.has_some(20ms))
      REQUIRE(who.control.read_some(said));
    REQUIRE(reader.feed(said, [&](frame_kind kind, auto body) {
      if (kind == frame_kind::control) {
        const auto what = decode_control(body).value();
        const auto* taken = std::get_if<link_taken>(&what);
        told = told || (taken != nullptr && taken->frames == 0 && taken->control == 0);
      }
      return true;
    }));
    return told;
  });
  at.serves();
}
