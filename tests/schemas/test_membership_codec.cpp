#include "schemas/membership.capnp.h"
#include "schemas/membership_codec.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <cstring>
#include <string>

using namespace edupulse;
namespace msg = membership_messages;
namespace limits = membership_limits;

namespace {

node_id node(std::uint64_t number) { return make_node_id(number, ~number); }

const membership_header header{cluster_hash("school"), node(1), 7, 3};

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto span = std::as_bytes(std::span(text.data(), text.size()));
  return {span.begin(), span.end()};
}

member_update sample(std::uint64_t number, member_state state = member_state::alive) {
  member_update what{node(number), 5, number, state, {}, {}};
  if (state == member_state::alive)
    what.profile = {"teacher", "10.0.0.7:4711", {}};
  else
    what.from = node(99);
  return what;
}

membership_frame again(const membership_message& message,
                       const std::vector<member_update>& updates = {}) {
  membership_writer writer(header, message);
  for (const auto& one : updates)
    REQUIRE(writer.add(one));
  auto read = decode_membership(writer.finish());
  INFO((read ? "" : read.error().text));
  REQUIRE(read);
  CHECK(read->header.cluster == header.cluster);
  CHECK(read->header.sender == header.sender);
  CHECK(read->header.boot_epoch == header.boot_epoch);
  CHECK(read->header.inc == header.inc);
  CHECK(read->message.index() == message.index());
  CHECK(read->updates.size() == updates.size());
  return std::move(*read);
}

template <class T> T message_again(const T& what) { return std::get<T>(again(what).message); }

bool equal(const member_update& a, const member_update& b) {
  return a.node == b.node && a.boot_epoch == b.boot_epoch && a.inc == b.inc && a.state == b.state &&
         a.from == b.from && a.profile.name == b.profile.name &&
         a.profile.address == b.profile.address &&
         std::equal(a.profile.meta.begin(), a.profile.meta.end(), b.profile.meta.begin(),
                    b.profile.meta.end());
}

/// What a writer that keeps no rule would send.
template <class Fill> std::vector<std::byte> rogue(Fill fill) {
  capnp::MallocMessageBuilder builder(16 * 1024); // one segment
  auto frame = builder.initRoot<schema::MembershipFrame>();
  frame.setSenderLow(1);
  frame.setGossip();
  fill(frame);
  const auto words = builder.getSegmentsForOutput()[0].asBytes();
  const auto span = std::as_bytes(std::span(words.begin(), words.size()));
  return {span.begin(), span.end()};
}

std::string fault(std::span<const std::byte> bytes) {
  const auto read = decode_membership(bytes);
  return read ? "" : read.error().text;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("membership frame: every message comes back as it was") {
  CHECK(message_again(msg::ping{17, node(2)}).seq == 17);
  CHECK(message_again(msg::ping{17, node(2)}).target == node(2));
  CHECK(message_again(msg::ack{0xffffffff}).seq == 0xffffffff);
  CHECK(message_again(msg::ping_request{4, node(3)}).target == node(3));
  CHECK(message_again(msg::ping_request{4, node(3)}).seq == 4);
  CHECK(message_again(msg::nack{9}).seq == 9);
  CHECK(message_again(msg::offer{0x123456789abcdef0}).digest == 0x123456789abcdef0);
  message_again(msg::gossip{});
  message_again(msg::same{});
  const auto table = message_again(msg::table{2, 5, true});
  CHECK(table.part == 2);
  CHECK(table.parts == 5);
  CHECK(table.wanted);
  CHECK(message_again(msg::join_ok{0, 1}).parts == 1);
  CHECK(message_again(msg::leave{8}).seq == 8);
  const auto asked = again(msg::join{"school", 1, 4});
  CHECK(std::get<msg::join>(asked.message).cluster == "school");
  CHECK(std::get<msg::join>(asked.message).version_minor == 4);
  const auto no = again(msg::refused{msg::refusal::fenced, "a later start", 9, "10.0.0.8:1"});
  CHECK(std::get<msg::refused>(no.message).reason == msg::refusal::fenced);
  CHECK(std::get<msg::refused>(no.message).text == "a later start");
  CHECK(std::get<msg::refused>(no.message).boot_epoch == 9);
  CHECK(std::get<msg::refused>(no.message).address == "10.0.0.8:1");
}

TEST_CASE("membership frame: every update comes back as it was") {
  const auto meta = bytes_of("zone=b");
  std::vector<member_update> sent;
  for (const auto state :
       {member_state::alive, member_state::suspect, member_state::dead, member_state::left})
    sent.push_back(sample(10 + sent.size(), state));
  sent.push_back(sample(20));
  sent.back().profile.meta = meta;
  const auto read = again(msg::gossip{}, sent);
  for (std::size_t i = 0; i < sent.size(); ++i)
    CHECK(equal(read.updates[i], sent[i]));
}

TEST_CASE("M7: a frame is at most 16 KiB and 240 updates; the writer says what fits") {
  const std::string longest(255, 'x');
  const auto meta = bytes_of(std::string(512, 'm'));
  for (const bool large : {false, true}) {
    membership_writer writer(header, msg::ping{1, node(2)});
    auto one = sample(1, large ? member_state::alive : member_state::dead);
    if (large)
      one.profile = {longest, longest, meta};
    while (writer.add(one))
      one.inc += 1;
    CHECK(writer.update_count() >= (large ? 12u : 180u));
    const auto bytes = writer.finish();
    CHECK(bytes.size() <= limits::frame_bytes);
    const auto read = decode_membership(bytes);
    REQUIRE(read);
    CHECK(read->updates.size() == writer.update_count());
  }
}

TEST_CASE("membership frame: a ping is small") {
  CHECK(membership_writer(header, msg::ping{1, node(2)}).finish().size() <= 96);
}

TEST_CASE("membership frame: what is too long is refused as a whole") {
  const auto text = [](std::size_t n) { return std::string(n, 'x'); };
  const auto update = [&](std::size_t name, std::size_t address, std::size_t meta) {
    return fault(rogue([&](auto frame) {
      auto one = frame.initUpdates(1)[0];
      one.setNodeLow(2);
      one.setName(text(name));
      one.setAddress(text(address));
      one.initMetadata(static_cast<unsigned>(meta));
    }));
  };
  CHECK(update(255, 255, 512) == "");
  CHECK(has(update(256, 1, 0), "a name of 256 bytes"));
  CHECK(has(update(1, 256, 0), "an address of 256 bytes"));
  CHECK(has(update(1, 1, 513), "metadata of 513 bytes"));
  CHECK(has(update(0, 1, 0), "without a name"));
  CHECK(has(update(1, 0, 0), "without a name or an address"));
  CHECK(has(fault(rogue([&](auto frame) { frame.initJoin().setCluster(text(256)); })), "256"));
  CHECK(has(fault(rogue([&](auto frame) { frame.initRefused().setText(text(256)); })), "256"));
  const std::vector<std::byte> huge(limits::frame_bytes + 8);
  REQUIRE_FALSE(decode_membership(huge));
  CHECK(decode_membership(huge).error().code == errc::too_large);
}

TEST_CASE("membership frame: 241 updates are refused, and a list of nothing repeated 2^29 times") {
  const auto with = [](unsigned n) {
    // Small updates, as a version with fewer fields would write them.
    return rogue([n](schema::MembershipFrame::Builder frame) {
      for (auto one : frame.initUpdates(n))
        one.setNodeLow(2);
    });
  };
  CHECK(fault(with(100)) == "");
  CHECK(has(fault(with(241)), "limit"));
  // The root pointer, the struct, a list pointer to 2^29 elements of no size.
  auto bytes = rogue([](auto frame) { frame.initUpdates(1)[0].setNodeLow(2); });
  std::uint64_t root;
  std::memcpy(&root, bytes.data(), 8);
  const std::size_t list_at = 8 * (1 + (root >> 32 & 0xffff));
  const std::uint64_t void_list = 1 | std::uint64_t{0x1fffffff} << 35;
  std::memcpy(bytes.data() + list_at, &void_list, 8);
  CHECK(fault(bytes) != "");
}

TEST_CASE("membership frame: texts are what they should be") {
  const auto named = [](std::string_view name, std::string_view address) {
    return fault(rogue([&](auto frame) {
      auto one = frame.initUpdates(1)[0];
      one.setNodeLow(2);
      std::memcpy(one.initName(static_cast<unsigned>(name.size())).begin(), name.data(),
                  name.size());
      std::memcpy(one.initAddress(static_cast<unsigned>(address.size())).begin(), address.data(),
                  address.size());
    }));
  };
  CHECK(named("Größe", "[::1]:80") == "");
  CHECK(has(named("\xff", "a:1"), "UTF-8"));
  CHECK(has(named("a", "a b"), "printable"));
  CHECK(has(named("a", "a\n"), "printable"));
  CHECK(has(named("a", "\x1b[31m"), "printable"));
}

TEST_CASE("membership frame: nobody speaks, or is spoken of, without an id") {
  CHECK(has(fault(rogue([](auto frame) { frame.setSenderLow(0); })), "no sender"));
  CHECK(has(fault(rogue([](auto frame) { frame.initUpdates(1); })), "about nobody"));
}

TEST_CASE("membership frame: parts are counted within bounds") {
  const auto table = [](std::uint16_t part, std::uint16_t parts) {
    return fault(rogue([=](auto frame) {
      auto in = frame.initTable();
      in.setPart(part);
      in.setParts(parts);
    }));
  };
  CHECK(table(0, 1) == "");
  CHECK(table(limits::parts - 1, limits::parts) == "");
  CHECK(table(0, 0) != "");
  CHECK(table(1, 1) != "");
  CHECK(table(0, limits::parts + 1) != "");
}

TEST_CASE("membership frame: what a later version adds is skipped, the rest counts") {
  auto read = decode_membership(rogue([](schema::MembershipFrame::Builder frame) {
    auto updates = frame.initUpdates(2);
    updates[0].setNodeLow(2);
    updates[0].setState(static_cast<schema::State>(4));
    updates[1].setNodeLow(3);
    updates[1].setState(schema::State::LEFT);
    frame.initRefused().setReason(static_cast<schema::Refused::Reason>(17));
  }));
  REQUIRE(read);
  CHECK(read->skipped == 1);
  REQUIRE(read->updates.size() == 1);
  CHECK(read->updates[0].state == member_state::left);
  CHECK(std::get<msg::refused>(read->message).reason == msg::refusal::other);

  // The union's tag, set to a kind that this version does not have.
  auto bytes = rogue([](schema::MembershipFrame::Builder frame) { frame.initUpdates(0); });
  bool found = false;
  for (std::size_t at = 8; at + 2 <= bytes.size() && !found; at += 2) {
    auto changed = bytes;
    const std::uint16_t tag = 4711;
    std::memcpy(changed.data() + at, &tag, 2);
    const auto one = decode_membership(changed);
    found = one && std::holds_alternative<msg::unknown>(one->message);
  }
  CHECK(found);
}

TEST_CASE("membership frame: hostile bytes give an error or a frame, and a frame writes itself") {
  test::random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  const auto meta = bytes_of("zone=b");
  membership_writer writer(header, msg::refused{msg::refusal::fenced, "text", 9, "a:1"});
  for (std::uint64_t i = 0; i < 6; ++i) {
    auto one = sample(i + 1, static_cast<member_state>(i % 4));
    if (i == 0)
      one.profile.meta = meta;
    REQUIRE(writer.add(one));
  }
  const auto valid = writer.finish();
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = valid;
    for (std::uint64_t n = 1 + chance.below(4u); n > 0; --n)
      bytes[chance.below(bytes.size())] = static_cast<std::byte>(chance.next());
    if (chance.one_in(4))
      bytes.resize(chance.below(bytes.size() + 1));
    const auto read = decode_membership(bytes);
    ++(read ? accepted : refused);
    if (!read || std::holds_alternative<msg::unknown>(read->message))
      continue;
    // Whatever passed can be said again, and means the same.
    membership_writer copy(read->header, read->message);
    for (const auto& one : read->updates)
      REQUIRE(copy.add(one));
    const auto twice = decode_membership(copy.finish());
    REQUIRE(twice);
    REQUIRE(twice->message.index() == read->message.index());
    REQUIRE(twice->updates.size() == read->updates.size());
    for (std::size_t i = 0; i < read->updates.size(); ++i)
      REQUIRE(equal(twice->updates[i], read->updates[i]));
  }
  CHECK(accepted > 1000);
  CHECK(refused > 1000);
}
