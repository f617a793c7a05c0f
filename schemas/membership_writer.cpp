// Frames are built in place, in a buffer of their final size, so the sizes below have to be those
// of what a builder allocates, to the word; `finish` checks that.

#include "schemas/membership.capnp.h"
#include "schemas/membership_codec.hpp"
#include <capnp/message.h>
#include <cassert>
#include <cstring>

namespace edupulse {

namespace msg = membership_messages;
namespace limits = membership_limits;
using frame_schema = schema::MembershipFrame;

namespace {

constexpr std::size_t root_words = 1;
constexpr std::size_t list_tag_words = 1;

template <class T> constexpr std::size_t struct_words() {
  constexpr auto size = capnp::_::structSize<T>();
  return size.data / capnp::WORDS + size.pointers / capnp::POINTERS;
}

std::size_t text_words(std::string_view text) noexcept {
  return text.empty() ? 0 : (text.size() + 1 + 7) / 8; // a zero follows
}

std::size_t words_of(const member_update& what) noexcept {
  return struct_words<schema::Update>() + text_words(what.profile.name) +
         text_words(what.profile.address) + (what.profile.meta.size() + 7) / 8;
}

std::size_t words_of(const membership_message& what) noexcept {
  if (const auto* join = std::get_if<msg::join>(&what))
    return struct_words<schema::Join>() + text_words(join->cluster);
  if (const auto* refused = std::get_if<msg::refused>(&what))
    return struct_words<schema::Refused>() + text_words(refused->text) +
           text_words(refused->address);
  return 0;
}

/// `init(size)` makes the text or data. Nothing is made for an empty one.
template <class Init> void put(const void* from, std::size_t bytes, Init init) {
  if (bytes > 0)
    std::memcpy(init(static_cast<unsigned>(bytes)).begin(), from, bytes);
}

struct message_builder {
  frame_schema::Builder to;

  void operator()(const msg::ping& what) {
    auto ping = to.initPing();
    ping.setSequence(what.seq);
    ping.setTargetHigh(high_half(what.target.value));
    ping.setTargetLow(low_half(what.target.value));
  }
  void operator()(const msg::ack& what) { to.initAck().setSequence(what.seq); }
  void operator()(const msg::ping_request& what) {
    auto asked = to.initPingRequest();
    asked.setSequence(what.seq);
    asked.setTargetHigh(high_half(what.target.value));
    asked.setTargetLow(low_half(what.target.value));
  }
  void operator()(const msg::nack& what) { to.initNack().setSequence(what.seq); }
  void operator()(const msg::gossip&) { to.setGossip(); }
  void operator()(const msg::offer& what) { to.initOffer().setDigest(what.digest); }
  void operator()(const msg::same&) { to.setSame(); }
  void operator()(const msg::table& what) {
    auto table = to.initTable();
    table.setPart(what.part);
    table.setParts(what.parts);
    table.setWanted(what.wanted);
  }
  void operator()(const msg::join& what) {
    auto join = to.initJoin();
    put(what.cluster.data(), what.cluster.size(), [&](unsigned n) { return join.initCluster(n); });
    join.setVersionMajor(what.version_major);
    join.setVersionMinor(what.version_minor);
  }
  void operator()(const msg::join_ok& what) {
    auto in = to.initJoinOk();
    in.setPart(what.part);
    in.setParts(what.parts);
  }
  void operator()(const msg::refused& what) {
    auto refused = to.initRefused();
    refused.setReason(static_cast<schema::Refused::Reason>(what.reason));
    refused.setEpoch(what.boot_epoch);
    put(what.text.data(), what.text.size(), [&](unsigned n) { return refused.initText(n); });
    put(what.address.data(), what.address.size(),
        [&](unsigned n) { return refused.initAddress(n); });
  }
  void operator()(const msg::leave& what) { to.initLeave().setSequence(what.seq); }
  void operator()(const msg::unknown&) { assert(false && "nothing that could be sent"); }
};

void build(schema::Update::Builder to, const member_update& what) {
  to.setNodeHigh(high_half(what.node.value));
  to.setNodeLow(low_half(what.node.value));
  to.setEpoch(what.boot_epoch);
  to.setIncarnation(what.inc);
  to.setState(static_cast<schema::State>(what.state));
  to.setFromHigh(high_half(what.from.value));
  to.setFromLow(low_half(what.from.value));
  const auto& profile = what.profile;
  put(profile.name.data(), profile.name.size(), [&](unsigned n) { return to.initName(n); });
  put(profile.address.data(), profile.address.size(),
      [&](unsigned n) { return to.initAddress(n); });
  put(profile.meta.data(), profile.meta.size(), [&](unsigned n) { return to.initMetadata(n); });
}

} // namespace

membership_writer::membership_writer(const membership_header& header,
                                     const membership_message& message) noexcept
    : header_(header), message_(message),
      words_(root_words + struct_words<frame_schema>() + words_of(message)) {
  assert(words_ * sizeof(capnp::word) <= limits::frame_bytes);
}

bool membership_writer::add(const member_update& what) {
  const std::size_t more = words_of(what) + (updates_.empty() ? list_tag_words : 0);
  if (updates_.size() == limits::updates ||
      (words_ + more) * sizeof(capnp::word) > limits::frame_bytes)
    return false;
  words_ += more;
  updates_.push_back(what);
  return true;
}

std::vector<std::byte> membership_writer::finish() const {
  std::vector<std::byte> bytes(words_ * sizeof(capnp::word));
  capnp::FlatMessageBuilder builder({reinterpret_cast<capnp::word*>(bytes.data()), words_});
  auto frame = builder.initRoot<frame_schema>();
  frame.setCluster(header_.cluster);
  frame.setSenderHigh(high_half(header_.sender.value));
  frame.setSenderLow(low_half(header_.sender.value));
  frame.setSenderEpoch(header_.boot_epoch);
  frame.setSenderIncarnation(header_.inc);
  if (!updates_.empty()) {
    auto updates = frame.initUpdates(static_cast<unsigned>(updates_.size()));
    for (unsigned i = 0; i < updates.size(); ++i)
      build(updates[i], updates_[i]);
  }
  std::visit(message_builder{frame}, message_);
  builder.requireFilled();
  return bytes;
}

} // namespace edupulse
