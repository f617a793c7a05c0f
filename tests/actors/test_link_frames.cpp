// Frames of a link: what is written can be read, and what cannot have been written is refused.

#include "actors/interest.hpp"
#include "schemas/link.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/in_flight.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <capnp/serialize.h>
#include <cstring>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

constexpr time_point now{1h};
const node_id publisher = make_node_id(1, 2); // of all events that make_event makes

frame_header header_of(const frame_bytes& frame) {
  return decode_header(std::as_bytes(std::span(frame)).first<frame_header::size>(), 1u << 30)
      .value();
}

outgoing_run run_of(std::size_t n, std::vector<outgoing_run::target> targets) {
  auto events = std::make_shared<chunk>();
  for (std::size_t i = 0; i < n; ++i)
    events->entries.push_back(make_entry(make_event({.key = "k", .payload_bytes = 8 * i})));
  outgoing_run run;
  run.events = {events, 0, static_cast<std::uint32_t>(n), 0};
  run.targets = std::move(targets);
  return run;
}

frame_bytes events_frame() {
  std::vector<outgoing_run> runs;
  runs.push_back(run_of(3, {{7, 1, 0}, {9, 100, 5}}));
  runs.push_back(run_of(1, {{7, 4, 0}}));
  runs[1].level = delivery_level::best_effort;
  runs[1].expires_in = 1500us;
  frame_bytes frame;
  append_frame(frame, runs);
  return frame;
}

hello_message hello() {
  hello_message what;
  what.features = 5;
  what.cluster = "school";
  what.node = make_node_id(3, 4);
  what.boot_epoch = 12;
  what.instance = 99;
  what.name = "api-1";
  what.address = "127.0.0.1:4701";
  what.session = 42;
  what.bulk = true;
  what.settings = {{"profile", "lan"}, {"x", ""}};
  what.max_event_bytes = 1u << 20;
  return what;
}

link_answer ledger_part() {
  ledger_line line;
  line.topic = "lesson.published.a";
  line.subscription = "indexer@api-2";
  line.published = 20;
  line.handled = 1;
  line.dead = 2;
  line.expired = 3;
  line.pending = 4;
  line.retries = 5;
  line.crashes = 6;
  line.dropped[0] = 7;
  line.dropped[drop_reasons - 1] = 3;
  return {5, 2, true, {{{"lesson.published.a", 20, 1}}, {line}}};
}

template <class T> control_message round_trip(const T& what) {
  frame_bytes frame;
  append_frame(frame, control_message(what));
  CHECK(header_of(frame).kind == frame_kind::control);
  return decode_control(body_of(frame)).value();
}

template <class F> void with_bit_flips(frame_bytes frame, F decode_body) {
  random_numbers chance;
  for (int i = 0; i < 20'000; ++i) {
    auto broken = frame;
    for (auto flips = 1 + chance.below(4); flips > 0; --flips)
      broken[frame_header::size + chance.below(broken.size() - frame_header::size)] ^=
          static_cast<char>(1 << chance.below(8));
    decode_body(body_of(broken)); // an error or not, and nothing else
  }
}

} // namespace

TEST_CASE("frames: a hello and a refusal read as they were written") {
  frame_bytes frame;
  append_frame(frame, hello());
  CHECK(header_of(frame).kind == frame_kind::hello);
  CHECK(header_of(frame).body_bytes == frame.size() - frame_header::size);
  CHECK(decode_hello(body_of(frame)) == hello());
  frame.clear();
  append_frame(frame, refusal_message{refusal_reason::fenced, "there is a later start of you"});
  CHECK(decode_refusal(body_of(frame)) ==
        refusal_message{refusal_reason::fenced, "there is a later start of you"});
}

TEST_CASE("frames: control messages read as they were written") {
  const auto resume = std::get<link_resume>(round_trip(link_resume{7, {{1, 2}, {3, 4}}}));
  CHECK(resume.control_seen == 7);
  CHECK(resume.expected == std::vector<inbound::expectation>{{1, 2}, {3, 4}});
  CHECK_FALSE(resume.more);
  link_resume part;
  part.more = true;
  CHECK(std::get<link_resume>(round_trip(part)).more);
  const auto taken = std::get<link_taken>(round_trip(link_taken{8, 9}));
  CHECK(taken.control == 8);
  CHECK(taken.frames == 9);
  const std::vector<ack_run> acks{{1, 2, 3, fate::handled, {}},
                                  {4, 5, 6, fate::dropped, drop_reason::unsubscribed},
                                  {7, ~0ull, 1, fate::dead, {}}};
  const auto numbered = std::get<link_numbered>(round_trip(link_numbered{10, acks}));
  CHECK(numbered.number == 10);
  CHECK(std::get<std::vector<ack_run>>(numbered.what) == acks);
  const std::vector<std::byte> bytes{std::byte{1}, std::byte{0}, std::byte{255}};
  const auto carried = std::get<link_numbered>(round_trip(link_numbered{11, bytes}));
  CHECK(std::get<std::vector<std::byte>>(carried.what) == bytes);
}

TEST_CASE(
    "frames: ends and reasons of a later version are taken for `unknown`, and counted as such") {
  const auto later_fate = static_cast<fate>(4);
  const auto later_reason = static_cast<drop_reason>(200);
  const std::vector<ack_run> acks{{1, 2, 3, later_fate, {}},
                                  {1, 5, 1, fate::dropped, later_reason},
                                  {1, 6, 1, fate::handled, later_reason}};
  const auto numbered = std::get<link_numbered>(round_trip(link_numbered{10, acks}));
  CHECK(std::get<std::vector<ack_run>>(numbered.what) ==
        std::vector<ack_run>{{1, 2, 3, fate::dropped, drop_reason::unknown},
                             {1, 5, 1, fate::dropped, drop_reason::unknown},
                             {1, 6, 1, fate::handled, drop_reason::unknown}});
  capnp::MallocMessageBuilder message;
  auto answer = message.initRoot<schema::Control>().initAnswer();
  auto line = answer.initLines(1)[0];
  line.setTopic("t");
  line.setSubscription("s@n");
  const auto read = [&](unsigned reasons) {
    auto dropped = line.initDropped(reasons);
    for (unsigned i = 0; i < reasons; ++i)
      dropped.set(i, 1);
    const auto words = capnp::messageToFlatArray(message); // behind the segment table
    return decode_control(std::as_bytes(std::span(words.begin(), words.size()).subspan(1)));
  };
  const auto told = std::get<link_answer>(read(14).value());
  CHECK(told.lines.lines[0].dropped_for(drop_reason::unreachable) == 1);
  CHECK(told.lines.lines[0].dropped_for(drop_reason::unknown) == 4);
  CHECK_FALSE(read(257));
}

TEST_CASE("frames: a question and a part of a ledger read as they were written") {
  const auto ask = std::get<link_ask>(round_trip(link_ask{7, 0, 3}));
  CHECK(ask.id == 7);
  CHECK(ask.about == link_ask::ledger);
  CHECK(ask.part == 3);
  CHECK(std::get<link_ask>(round_trip(link_ask{7, 9, 3})).about == 9); // of a later version
  const auto sent = ledger_part();
  const auto part = std::get<link_answer>(round_trip(sent));
  CHECK(part.id == 5);
  CHECK(part.part == 2);
  CHECK(part.last);
  REQUIRE(part.lines.topics.size() == 1);
  CHECK(part.lines.topics[0].topic == "lesson.published.a");
  CHECK(part.lines.topics[0].published == 20);
  CHECK(part.lines.topics[0].no_subscriber == 1);
  REQUIRE(part.lines.lines.size() == 1);
  const auto& line = part.lines.lines[0];
  CHECK(line.topic == sent.lines.lines[0].topic);
  CHECK(line.subscription == "indexer@api-2");
  CHECK(line.published == 20);
  CHECK(line.handled == 1);
  CHECK(line.dead == 2);
  CHECK(line.expired == 3);
  CHECK(line.dropped == sent.lines.lines[0].dropped);
  CHECK(line.pending == 4);
  CHECK(line.retries == 5);
  CHECK(line.crashes == 6);
}

TEST_CASE("G44: names that are too long or no text, and too many lines of a ledger, are refused") {
  const auto refused = [](auto change) {
    auto what = ledger_part();
    change(what.lines);
    frame_bytes frame;
    append_frame(frame, control_message(what));
    return !decode_control(body_of(frame));
  };
  const std::string longest(link_limits::ledger_text_bytes, 'x');
  CHECK_FALSE(refused([&](ledger_view& of) { of.lines[0].topic = longest; }));
  CHECK(refused([&](ledger_view& of) { of.lines[0].topic = longest + "x"; }));
  CHECK(refused([&](ledger_view& of) { of.lines[0].subscription = longest + "x"; }));
  CHECK(refused([&](ledger_view& of) { of.topics[0].topic = longest + "x"; }));
  CHECK(refused([](ledger_view& of) { of.lines[0].subscription = "\xff\xfe"; }));
  CHECK_FALSE(refused([](ledger_view& of) { of.topics.resize(link_limits::ledger_lines); }));
  CHECK(refused([](ledger_view& of) { of.topics.resize(link_limits::ledger_lines + 1); }));
  CHECK(refused([](ledger_view& of) { of.lines.resize(link_limits::ledger_lines + 1); }));
}

TEST_CASE("frames: thousands of conclusions are one segment, whatever the builder makes of them") {
  std::vector<ack_run> acks;
  for (std::uint32_t i = 0; i < 5000; ++i)
    acks.push_back({i, i, 1, fate::handled, {}});
  const auto numbered = std::get<link_numbered>(round_trip(link_numbered{1, acks}));
  CHECK(std::get<std::vector<ack_run>>(numbered.what) == acks);
}

TEST_CASE("frames: events arrive with their bytes, targets, level and time left") {
  const auto frame = events_frame();
  const auto runs = decode_events(body_of(frame), publisher, now, {}).value();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].events.size() == 3);
  REQUIRE(runs[0].targets.size() == 2);
  CHECK(runs[0].targets[1].remote == 9);
  CHECK(runs[0].targets[1].dseq == 100);
  CHECK(runs[0].targets[1].missed == 5);
  CHECK(runs[1].events.begin == 3);
  const auto& last = *runs[1].events.events->entries[3].event;
  CHECK(last.level() == delivery_level::best_effort);
  CHECK(last.expires_at() == now + 2ms);
  CHECK(last.topic() == "lesson.published");
  CHECK(last.key() == "k");
}

/// What the generated code makes of a message, without the segment table.
std::vector<std::byte> generated(capnp::MessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = std::as_bytes(std::span(words.begin(), words.size()).subspan(1));
  return {bytes.begin(), bytes.end()};
}

TEST_CASE("frames: conclusions are laid out as the generated code does it, and those that are laid "
          "out in another way read the same") {
  const std::vector<ack_run> acks{{1, 2, 3, fate::handled, {}},
                                  {4, 5, 6, fate::dropped, drop_reason::unsubscribed}};
  frame_bytes frame;
  append_frame(frame, control_message(link_numbered{10, acks}));
  for (const bool leaves_a_hole : {false, true}) {
    capnp::MallocMessageBuilder message;
    auto numbered = message.initRoot<schema::Control>().initNumbered();
    numbered.setNumber(10);
    if (leaves_a_hole)
      numbered.initAcks(1);
    auto to = numbered.initAcks(2);
    for (unsigned i = 0; i < 2; ++i) {
      to[i].setSubscription(acks[i].subscription);
      to[i].setFirst(acks[i].first);
      to[i].setCount(acks[i].count);
      to[i].setHow(static_cast<schema::Control::Fate>(acks[i].how));
      to[i].setWhy(static_cast<std::uint8_t>(acks[i].why));
    }
    const auto bytes = generated(message);
    CHECK(std::ranges::equal(bytes, body_of(frame)) == !leaves_a_hole);
    const auto read = std::get<link_numbered>(decode_control(bytes).value());
    CHECK(read.number == 10);
    CHECK(std::get<std::vector<ack_run>>(read.what) == acks);
  }
}

TEST_CASE(
    "frames: a head of events is laid out as the generated code does it, and one that is laid "
    "out in another way reads the same") {
  auto frame = events_frame();
  const auto body = body_of(frame);
  const auto head_bytes = 8 * static_cast<std::size_t>(body[0]);
  for (const bool backwards : {false, true}) {
    capnp::MallocMessageBuilder message;
    auto runs = message.initRoot<schema::EventsHead>().initRuns(2);
    runs[0].setCount(3);
    runs[0].setLevel(schema::EventsHead::Level::ACKNOWLEDGED);
    runs[1].setCount(1);
    runs[1].setExpiresInMs(2);
    const auto fill_targets = [&](unsigned of) {
      auto targets = runs[of].initTargets(of == 0 ? 2 : 1);
      targets[0].setSubscription(7);
      targets[0].setDseq(of == 0 ? 1 : 4);
      if (of == 1)
        return;
      targets[1].setSubscription(9);
      targets[1].setDseq(100);
      targets[1].setMissed(5);
    };
    fill_targets(backwards ? 1 : 0);
    fill_targets(backwards ? 0 : 1);
    const auto bytes = generated(message);
    REQUIRE(bytes.size() == head_bytes);
    CHECK(std::ranges::equal(bytes, body.subspan(8, head_bytes)) == !backwards);
    std::vector<std::byte> other(body.begin(), body.end());
    std::copy(bytes.begin(), bytes.end(), other.begin() + 8);
    const auto read = decode_events(other, publisher, now, {}).value();
    REQUIRE(read.size() == 2);
    REQUIRE(read[0].targets.size() == 2);
    CHECK(read[0].targets[1].remote == 9);
    CHECK(read[0].targets[1].dseq == 100);
    CHECK(read[0].targets[1].missed == 5);
    REQUIRE(read[1].targets.size() == 1);
    CHECK(read[1].targets[0].dseq == 4);
    CHECK(read[1].events.events->entries[3].event->expires_at() == now + 2ms);
  }
}

TEST_CASE("frames: as many runs as a frame may have are read") {
  std::vector<outgoing_run> runs;
  for (std::uint64_t i = 0; i < 1024; ++i)
    runs.push_back(run_of(1, {{1, 1 + i, 0}, {2, 1 + i, 0}}));
  frame_bytes frame;
  append_frame(frame, runs);
  const auto read = decode_events(body_of(frame), publisher, now, {});
  REQUIRE(read);
  CHECK(read->size() == 1024);
}

TEST_CASE("frames: an envelope that another node published is refused") {
  const auto frame = events_frame();
  const auto runs = decode_events(body_of(frame), make_node_id(9, 9), now, {});
  REQUIRE_FALSE(runs);
  CHECK(runs.error().code == errc::malformed);
}

TEST_CASE("frames: an envelope larger than the limit is refused") {
  frame_bytes frame;
  std::vector<outgoing_run> runs;
  runs.push_back(run_of(60, {{1, 1, 0}}));
  append_frame(frame, runs);
  link_limits small;
  small.max_event_bytes = 512;
  const auto read = decode_events(body_of(frame), publisher, now, small);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == errc::too_large);
}

TEST_CASE("frames: a frame of events that is cut off anywhere, or goes on, is refused") {
  auto frame = events_frame();
  const auto body = body_of(frame);
  for (std::size_t size = 0; size < body.size(); ++size)
    CHECK_FALSE(decode_events(body.first(size), publisher, now, {}));
  REQUIRE(decode_events(body, publisher, now, {}));
  frame.resize(frame.size() + 8);
  CHECK_FALSE(decode_events(body_of(frame), publisher, now, {}));
}

TEST_CASE("frames: counts and sizes that the bytes do not hold are refused before they are used") {
  for (const std::uint32_t lie : {0xffffffffu, 0x7fffffffu, 0x20000000u, 1000u}) {
    for (const std::size_t at : {0, 4}) {
      auto frame = events_frame();
      std::memcpy(frame.data() + frame_header::size + at, &lie, sizeof lie);
      CHECK_FALSE(decode_events(body_of(frame), publisher, now, {}));
    }
  }
  CHECK_FALSE(decode_events({}, publisher, now, {}));
  CHECK_FALSE(decode_hello({}));
  CHECK_FALSE(decode_control({}));
}

TEST_CASE("frames: a header says what it is, how long, and nothing else") {
  const auto decode = [](std::initializer_list<int> bytes) {
    std::array<std::byte, frame_header::size> all{};
    std::size_t at = 0;
    for (const int byte : bytes)
      all[at++] = static_cast<std::byte>(byte);
    return decode_header(all, 65536);
  };
  CHECK(decode({8, 0, 0, 0, 3, 0, 0, 0})->kind == frame_kind::control);
  CHECK(decode({0, 0, 1, 0, 4, 0, 0, 0})->body_bytes == 65536);
  CHECK_FALSE(decode({8, 0, 1, 0, 4, 0, 0, 0})); // above the limit
  CHECK_FALSE(decode({0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0}));
  CHECK_FALSE(decode({0, 0, 0, 0, 3, 0, 0, 0}));                 // empty
  CHECK_FALSE(decode({9, 0, 0, 0, 3, 0, 0, 0}));                 // no number of words
  CHECK_FALSE(decode({8, 0, 0, 0, 0, 0, 0, 0}));                 // no kind
  CHECK_FALSE(decode({8, 0, 0, 0, 6, 0, 0, 0}));                 // unknown kind
  CHECK_FALSE(decode({8, 0, 0, 0, 3, 1, 0, 0}));                 // bytes that must be zero
  CHECK_FALSE(decode({'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'})); // somebody's browser
}

TEST_CASE("frames: a hello without node, epoch, name or cluster, or with too much, is refused") {
  const auto refused = [](auto change) {
    auto what = hello();
    change(what);
    frame_bytes frame;
    append_frame(frame, what);
    return !decode_hello(body_of(frame));
  };
  CHECK(refused([](hello_message& what) { what.node = {}; }));
  CHECK(refused([](hello_message& what) { what.boot_epoch = 0; }));
  CHECK(refused([](hello_message& what) { what.name = ""; }));
  CHECK(refused([](hello_message& what) { what.cluster = ""; }));
  CHECK(refused([](hello_message& what) { what.name = std::string(256, 'x'); }));
  CHECK(refused([](hello_message& what) { what.name = "\xff\xfe"; }));
  CHECK(refused([](hello_message& what) { what.settings.resize(65, {"a", "b"}); }));
  CHECK_FALSE(refused([](hello_message&) {}));
}

TEST_CASE("frames: bytes changed at random are an error or another message, never a crash") {
  with_bit_flips(events_frame(), [](auto body) {
    const auto runs = decode_events(body, publisher, now, {});
    if (runs)
      for (const auto& run : *runs)
        for (auto i = run.events.begin; i < run.events.end; ++i)
          static_cast<void>(run.events.events->entries[i].event->meta("tenant"));
  });
  frame_bytes frame;
  append_frame(frame, hello());
  with_bit_flips(frame, [](auto body) { static_cast<void>(decode_hello(body)); });
  frame.clear();
  append_frame(
      frame, control_message(link_numbered{1, std::vector<ack_run>{{1, 2, 3, fate::handled, {}},
                                                                   {4, 5, 6, fate::dropped, {}}}}));
  with_bit_flips(frame, [](auto body) { static_cast<void>(decode_control(body)); });
  frame.clear();
  append_frame(frame, control_message(ledger_part()));
  with_bit_flips(frame, [](auto body) { static_cast<void>(decode_control(body)); });
}

TEST_CASE("frames: a message of interest with many subscriptions reads as it was written") {
  interest_message all;
  all.version = 1;
  std::string pattern = "lesson";
  while (pattern.size() < 200)
    pattern += ".abcdefghijklmnopqrstuvwxyz";
  for (std::uint32_t i = 0; i < 256; ++i) {
    announced_subscription one;
    one.number = i;
    one.name = std::to_string(i) + std::string(250, 'n');
    one.group = std::string(255, 'g');
    one.filter = *topic_filter::parse(pattern);
    all.added.push_back(std::move(one));
  }
  const auto bytes = encode(all);
  frame_bytes frame;
  append_frame(frame, link_numbered{1, bytes});
  CHECK(frame.size() <= link_limits::control_bytes);
  const auto read = decode_interest(bytes);
  REQUIRE(read);
  REQUIRE(read->added.size() == 256);
  CHECK(read->added.back().name == all.added.back().name);
  CHECK(read->added.back().group == all.added.back().group);
}
