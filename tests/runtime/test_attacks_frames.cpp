// Attacks on a running node by members whose frames are no honest Cap'n Proto. A frame is one
// segment without a table, so what names another one leads nowhere. After each the node serves an
// honest member as before, and its log and counters say what was wrong.

#include "kinds.capnp.h"
#include "schemas/typed_event.hpp"
#include "tests/support/capnp_words.hpp"
#include "tests/support/events.hpp"
#include "tests/support/rogue_attack.hpp"
#include <cstring>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;
using kinds::inner::Tree;

namespace {

using words = std::vector<std::uint64_t>;

words words_of(std::span<const std::byte> bytes) {
  words all(bytes.size() / 8);
  std::memcpy(all.data(), bytes.data(), 8 * all.size());
  return all;
}
template <class What> words body_words(const What& what) {
  frame_bytes bytes;
  append_frame(bytes, what);
  return words_of(body_of(bytes));
}

/// The message that begins at `root`, once for each of its root's lists that are there and each
/// pointer that leads nowhere; and with such a root.
std::vector<words> spoiled(const words& good, std::size_t root = 0) {
  std::vector<words> all;
  const auto first = root + 1 + (good[root] >> 32 & 0xffff);
  for (const auto bad : pointers_to_nothing) {
    for (auto at = first; at < first + (good[root] >> 48); ++at)
      if (good[at] != 0) {
        all.push_back(good);
        all.back()[at] = bad;
      }
    all.push_back(good);
    all.back()[root] = bad;
  }
  return all;
}

/// The body of a frame of events for subscription 0, which has not had any yet.
words events_body(const std::vector<words>& envelopes) {
  auto events = std::make_shared<chunk>();
  for (std::size_t i = 0; i < envelopes.size(); ++i)
    events->entries.push_back(make_entry(make_event()));
  std::vector<outgoing_run> runs(1);
  runs[0].events = {events, 0, static_cast<std::uint32_t>(envelopes.size()), 0};
  runs[0].targets = {{0, 1, 0}};
  auto body = body_words(runs);
  body.resize(1 + static_cast<std::uint32_t>(body[0])); // without those
  for (const auto& one : envelopes) {
    body.push_back(one.size());
    body.insert(body.end(), one.begin(), one.end());
  }
  return body;
}
/// In it, the word of its first envelope at this place.
std::size_t in_envelope(std::size_t at) {
  return 2 + static_cast<std::uint32_t>(events_body({words(1)})[0]) + at;
}

/// What is attacked, and members that attack it, each with a frame that cannot be used.
class frame_attack {
public:
  attacked at;

  void on_control(const words& body) {
    CHECK_FALSE(decode_control(std::as_bytes(std::span(body))));
    ends_session(body, [&](rogue_member& who) {
      who.control.say(frame_kind::control, std::as_bytes(std::span(body)));
    });
  }
  /// Its envelope is the sender's own, or is no envelope.
  void on_bulk(words body) {
    const auto sender = peer(number_ + 1).node;
    if (body.size() > in_envelope(4)) {
      body[in_envelope(3)] = high_half(sender.value);
      body[in_envelope(4)] = low_half(sender.value);
    }
    CHECK_FALSE(decode_events(std::as_bytes(std::span(body)), sender, time_point(), {}));
    ends_session(body, [&](rogue_member& who) {
      who.bulk.say(frame_kind::events, std::as_bytes(std::span(body)));
    });
  }
  void still_serves(std::string_view said) {
    CHECK(at.said.has(said));
    at.serves();
  }

private:
  template <class F> void ends_session(const words& body, F attack) {
    INFO("words: " << Catch::Detail::stringify(body));
    test::ends_session(at, ++number_, attack);
  }

  std::uint64_t number_ = 10;
};

constexpr const char* unusable = "a frame of the peer cannot be used";

} // namespace

TEST_CASE("G66, G69: control messages that lead out of their frame, back into it, or to half a "
          "billion elements end the session of who sends them") {
  frame_attack with;
  const auto try_all = [&](const control_message& what) {
    for (const auto& bad : spoiled(body_words(what)))
      with.on_control(bad);
  };
  try_all(link_resume{0, {{1, 2}, {3, 4}}});
  try_all(link_numbered{1, std::vector<ack_run>{{1, 1, 1, fate::handled, {}}}});
  try_all(link_numbered{1, std::vector<std::byte>(16)});
  with.on_control({0xffffffff, 0, 0, 0}); // a table of 2^32 segments
  with.on_control(words(10'000, struct_pointer(0, 0, 1)));
  with.still_serves(unusable);
}

TEST_CASE("G66, G69: frames of events whose numbers do not fit, or whose head leads nowhere, end "
          "the session") {
  frame_attack with;
  const auto event = make_event();
  const auto good = events_body({words_of(std::as_bytes(event->words()))});
  REQUIRE(decode_events(std::as_bytes(std::span(good)), event->publisher(), time_point(), {}));
  for (const auto& bad : spoiled(good, 1))
    with.on_bulk(bad);
  const auto head = static_cast<std::uint32_t>(good[0]);
  for (const std::uint64_t lie : {0ull, 1ull << 31, 0xffffffffull}) {
    auto bad = good;
    bad[0] = lie | 1ull << 32; // words of the head
    with.on_bulk(bad);
    bad = good;
    bad[0] = head | lie << 32; // envelopes
    with.on_bulk(bad);
    bad = good;
    bad[1 + head] = lie; // words of an envelope
    with.on_bulk(bad);
  }
  with.still_serves(unusable);
}

TEST_CASE("G66, G69: envelopes that lead nowhere, have no end or are no text end the session") {
  frame_attack with;
  const auto event = make_event({.subject = "a", .key = "k"});
  const auto good = words_of(std::as_bytes(event->words()));
  const auto refused = [&](const words& bad) { with.on_bulk(events_body({bad})); };
  REQUIRE(decode(std::as_bytes(event->words())));
  for (const auto& bad : spoiled(good))
    refused(bad);
  constexpr std::size_t key = 10;
  const auto key_of = [&](std::uint64_t text, std::uint64_t bytes) {
    auto bad = good;
    bad[key] = list_pointer(static_cast<std::int32_t>(bad.size() - key - 1), byte_element, bytes);
    bad.push_back(text);
    return bad;
  };
  refused(key_of(0x6161616161616161, 8)); // without its NUL
  refused(key_of(0xff, 2));               // not UTF-8
  refused(key_of(0x80c0, 3));             // NUL in two bytes
  auto bad = good;
  bad[1] = bad[2] = 0; // no id
  refused(bad);
  with.still_serves("not an envelope");
}

TEST_CASE(
    "G8, G69: a payload that leads nowhere, into itself or ten thousand deep is a dead letter "
    "of each handler that reads it, and nothing else suffers") {
  attacked at;
  std::atomic<int> read{0};
  REQUIRE(at.a.subscribe<Tree>("walker", [&](Tree::Reader root, const event_info&) {
    for (auto tree = root; tree.hasChild(); tree = tree.getChild())
      static_cast<void>(tree.getLabel());
    static_cast<void>(root.getLabel());
    ++read;
  }));
  rogue_member who(at.a.address(), 9);
  const auto good = [&] {
    envelope_header header;
    header.publisher = who.who.node;
    header.id = event_id{from_halves(0x0193000000007000, 0x8000000000000001)};
    const auto event = to_event<Tree>(
        [](Tree::Builder tree) {
          tree.initChild();
          tree.setLabel("x");
        },
        header);
    return words_of(std::as_bytes((*event)->words()));
  }();
  constexpr std::size_t child = 13; // the payload's first pointer; the label's is behind it
  std::vector<words> all{good};
  for (const auto pointer : pointers_to_nothing)
    for (const auto at_word : {child, child + 1}) {
      all.push_back(good);
      all.back()[at_word] = pointer;
    }
  all.push_back(good); // ten thousand deep
  all.back()[child] = struct_pointer(static_cast<std::int32_t>(good.size() - child - 1), 0, 3);
  for (int i = 0; i < 10'000; ++i)
    all.back().insert(all.back().end(), {struct_pointer(2, 0, 3), 0, 0});
  all.back().insert(all.back().end(), {0, 0, 0});
  all.push_back(good); // a label without its end
  all.back()[child + 1] -= std::uint64_t{1} << 35;
  const auto body = events_body(all);
  REQUIRE(who.bulk.say(frame_kind::events, std::as_bytes(std::span(body))));
  eventually([&] { return at.a.dead_letters()->size() == all.size() - 1; });
  CHECK(read == 1);
  const auto letters = at.a.dead_letters().value();
  for (const auto& letter : letters)
    CHECK(letter.reason.find("the payload cannot be read") != std::string::npos);
  CHECK(at.seen("peer9")->connected);
  at.serves();
}

TEST_CASE("G67, G69: frames of membership that are no honest Cap'n Proto are counted, and their "
          "sender is not listened to") {
  attacked at;
  rogue_member who(at.a.address(), 9);
  const auto frame =
      one_member::frame(who.who, msg::gossip{}, {about(peer(20), member_state::alive)});
  const auto all = spoiled(words_of(frame));
  constexpr std::size_t times = 5; // a hundred faults in a minute are too many
  for (std::size_t i = 0; i < times; ++i)
    for (const auto& bad : all) {
      CHECK_FALSE(decode_membership(std::as_bytes(std::span(bad))));
      REQUIRE(who.control.say(frame_kind::membership, std::as_bytes(std::span(bad))));
    }
  eventually([&] { return at.count("membership.malformed") == times * all.size(); });
  REQUIRE(who.tell(msg::gossip{}, {about(peer(21), member_state::alive)}));
  eventually([&] { return at.count("membership.quarantined") == 1; });
  CHECK_FALSE(at.seen("peer20"));
  CHECK_FALSE(at.seen("peer21"));
  at.serves();
}
