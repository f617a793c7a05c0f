#include "schemas/membership_codec.hpp"

#include "schemas/codec.hpp"
#include "schemas/membership.capnp.h"
#include "schemas/segment_reader.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>
#include <capnp/message.h>
#include <cstring>
#include <string>

namespace edupulse {

namespace msg = membership_messages;
namespace limits = membership_limits;
using frame_schema = schema::MembershipFrame;

namespace {

std::string_view view(capnp::Text::Reader text) noexcept { return {text.begin(), text.size()}; }

tl::unexpected<error> malformed(std::string why) {
  return fail(errc::malformed, "not a membership frame: " + std::move(why));
}

tl::unexpected<error> too_long(std::string_view what, std::size_t bytes, std::size_t limit) {
  return malformed(std::string(what) + " of " + std::to_string(bytes) + " bytes, the limit is " +
                   std::to_string(limit));
}

/// An address ends in log lines and in a resolver: no spaces, nothing that is not printable ASCII.
bool is_address(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// Updates may share a text, so that reading all of them crosses more words than there are.
segment_reader::limits limits_for(std::size_t words) noexcept { return {8 * words + 1024, 4}; }

// -- reading ------------------------------------------------------------------

expected<void> read_profile(member_profile_view& to, schema::Update::Reader from) {
  to.name = view(from.getName());
  to.address = view(from.getAddress());
  const auto meta = from.getMetadata();
  to.meta = std::as_bytes(std::span(meta.begin(), meta.size()));
  if (to.name.empty() && to.address.empty() && to.meta.empty())
    return {};
  return check_profile(to);
}

expected<void> read_updates(membership_frame& to, frame_schema::Reader from) {
  const auto updates = from.getUpdates();
  if (updates.size() > limits::updates)
    return malformed(std::to_string(updates.size()) + " updates, the limit is " +
                     std::to_string(limits::updates));
  to.updates.reserve(updates.size());
  for (const auto update : updates) {
    const auto state = static_cast<std::uint16_t>(update.getState());
    if (state > static_cast<std::uint16_t>(schema::State::LEFT)) {
      ++to.skipped;
      continue;
    }
    member_update& read = to.updates.emplace_back();
    read.node = {from_halves(update.getNodeHigh(), update.getNodeLow())};
    read.boot_epoch = update.getEpoch();
    read.inc = update.getIncarnation();
    read.state = static_cast<member_state>(state);
    read.from = {from_halves(update.getFromHigh(), update.getFromLow())};
    if (read.node.is_nil())
      return malformed("an update about nobody");
    if (auto ok = read_profile(read.profile, update); !ok)
      return ok;
  }
  return {};
}

expected<void> check_parts(std::uint16_t part, std::uint16_t parts) {
  if (parts > limits::parts || part >= parts)
    return malformed("part " + std::to_string(part) + " of " + std::to_string(parts) +
                     ", there are 1 to " + std::to_string(limits::parts));
  return {};
}

expected<void> read_join(membership_frame& to, schema::Join::Reader from) {
  const auto cluster = view(from.getCluster());
  if (cluster.size() > limits::cluster_bytes)
    return too_long("a cluster id", cluster.size(), limits::cluster_bytes);
  to.message = msg::join{cluster, from.getVersionMajor(), from.getVersionMinor()};
  return {};
}

expected<void> read_refused(membership_frame& to, schema::Refused::Reader from) {
  const auto text = view(from.getText());
  const auto address = view(from.getAddress());
  if (text.size() > limits::text_bytes)
    return too_long("a text", text.size(), limits::text_bytes);
  if (address.size() > limits::address_bytes || !is_address(address))
    return malformed("an address " + quote(address));
  const auto reason = static_cast<std::uint16_t>(from.getReason());
  const bool known = reason <= static_cast<std::uint16_t>(msg::refusal::full);
  to.message = msg::refused{known ? static_cast<msg::refusal>(reason) : msg::refusal::other, text,
                            from.getEpoch(), address};
  return {};
}

expected<void> read_message(membership_frame& to, frame_schema::Reader from) {
  switch (from.which()) {
  case frame_schema::PING: {
    const auto ping = from.getPing();
    to.message =
        msg::ping{ping.getSequence(), {from_halves(ping.getTargetHigh(), ping.getTargetLow())}};
    return {};
  }
  case frame_schema::ACK:
    to.message = msg::ack{from.getAck().getSequence()};
    return {};
  case frame_schema::PING_REQUEST: {
    const auto asked = from.getPingRequest();
    to.message = msg::ping_request{asked.getSequence(),
                                   {from_halves(asked.getTargetHigh(), asked.getTargetLow())}};
    return {};
  }
  case frame_schema::NACK:
    to.message = msg::nack{from.getNack().getSequence()};
    return {};
  case frame_schema::GOSSIP:
    to.message = msg::gossip{};
    return {};
  case frame_schema::OFFER:
    to.message = msg::offer{from.getOffer().getDigest()};
    return {};
  case frame_schema::SAME:
    to.message = msg::same{};
    return {};
  case frame_schema::TABLE: {
    const auto table = from.getTable();
    to.message = msg::table{table.getPart(), table.getParts(), table.getWanted()};
    return check_parts(table.getPart(), table.getParts());
  }
  case frame_schema::JOIN:
    return read_join(to, from.getJoin());
  case frame_schema::JOIN_OK: {
    const auto in = from.getJoinOk();
    to.message = msg::join_ok{in.getPart(), in.getParts()};
    return check_parts(in.getPart(), in.getParts());
  }
  case frame_schema::REFUSED:
    return read_refused(to, from.getRefused());
  case frame_schema::LEAVE:
    to.message = msg::leave{from.getLeave().getSequence()};
    return {};
  }
  to.message = msg::unknown{};
  return {};
}

expected<void> read_frame(membership_frame& to, kj::ArrayPtr<const capnp::word> words) {
  segment_reader reader({words.begin(), words.size()}, limits_for(words.size()));
  const auto from = reader.getRoot<frame_schema>();
  to.header = {from.getCluster(),
               {from_halves(from.getSenderHigh(), from.getSenderLow())},
               from.getSenderEpoch(),
               from.getSenderIncarnation()};
  if (to.header.sender.is_nil())
    return malformed("it has no sender");
  if (auto ok = read_updates(to, from); !ok)
    return ok;
  return read_message(to, from);
}

} // namespace

// -- what the header of this file promises ---------------------------------------

expected<void> check_profile(const member_profile_view& what) {
  if (what.name.empty() || what.address.empty())
    return malformed("a member without a name or an address");
  if (what.name.size() > limits::name_bytes)
    return too_long("a name", what.name.size(), limits::name_bytes);
  if (what.address.size() > limits::address_bytes)
    return too_long("an address", what.address.size(), limits::address_bytes);
  if (what.meta.size() > limits::meta_bytes)
    return too_long("metadata", what.meta.size(), limits::meta_bytes);
  if (!is_utf8(what.name))
    return malformed("the name " + quote(what.name) + " is not UTF-8");
  if (!is_address(what.address))
    return malformed("the address " + quote(what.address) + " is not printable ASCII");
  return {};
}

expected<membership_frame> decode_membership(std::span<const std::byte> bytes) {
  if (bytes.size() > limits::frame_bytes)
    return fail(errc::too_large, "a membership frame of " + std::to_string(bytes.size()) +
                                     " bytes: the limit is " + std::to_string(limits::frame_bytes));
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0)
    return malformed(std::to_string(bytes.size()) + " bytes, which is not a number of words");
  const std::size_t words = bytes.size() / sizeof(capnp::word);
  membership_frame frame;
  frame.words = std::make_unique_for_overwrite<std::uint64_t[]>(words);
  std::memcpy(frame.words.get(), bytes.data(), bytes.size());
  const kj::ArrayPtr from(reinterpret_cast<const capnp::word*>(frame.words.get()), words);
  expected<void> read;
  const auto followed = catching(errc::malformed, [&] { read = read_frame(frame, from); });
  if (!followed)
    return malformed(followed.error().text);
  if (!read)
    return tl::unexpected(std::move(read.error()));
  return frame;
}

std::string_view to_string(member_state state) noexcept {
  constexpr std::string_view names[] = {"alive", "suspect", "dead", "left"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(membership_refusal reason) noexcept {
  constexpr std::string_view names[] = {"other",  "wrong cluster", "version",
                                        "fenced", "conflict",      "full"};
  return names[static_cast<std::size_t>(reason)];
}

} // namespace edupulse
