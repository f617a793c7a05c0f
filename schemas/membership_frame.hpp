#pragma once
// What one frame of membership.capnp says, as plain values. Texts and metadata are views: of the
// frame they were decoded from, or of whatever they are about to be encoded from.

#include "schemas/ids.hpp"
#include "schemas/member_state.hpp"
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace edupulse {

/// In order of rank: of two pieces of news about one incarnation, the greater state is the newer.
/// What a member is called, where it is, and what its application says about it.
struct member_profile_view {
  std::string_view name;
  std::string_view address;
  std::span<const std::byte> meta;

  bool is_known() const noexcept { return !address.empty(); }
};

struct member_update {
  node_id node;
  std::uint64_t boot_epoch = 0;
  std::uint64_t inc = 0;
  member_state state = member_state::alive;
  node_id from; ///< who accuses; nil unless suspect or dead
  member_profile_view profile;
};

namespace membership_messages {

struct ping {
  std::uint32_t seq;
  node_id target;
};
struct ack {
  std::uint32_t seq;
};
struct ping_request {
  std::uint32_t seq;
  node_id target;
};
struct nack {
  std::uint32_t seq;
};
struct gossip {};
struct offer {
  std::uint64_t digest;
};
struct same {};
struct table {
  std::uint16_t part;
  std::uint16_t parts;
  bool wanted;
};
struct join {
  std::string_view cluster;
  std::uint16_t version_major;
  std::uint16_t version_minor;
};
struct join_ok {
  std::uint16_t part;
  std::uint16_t parts;
};
enum class refusal : std::uint8_t { other, wrong_cluster, version, fenced, conflict, full };
struct refused {
  refusal reason;
  std::string_view text;
  std::uint64_t boot_epoch;
  std::string_view address;
};
struct leave {
  std::uint32_t seq;
};
/// Of a later version of the protocol.
struct unknown {};

} // namespace membership_messages

using membership_refusal = membership_messages::refusal;
std::string_view to_string(membership_refusal reason) noexcept;

using membership_message =
    std::variant<membership_messages::unknown, membership_messages::ping, membership_messages::ack,
                 membership_messages::ping_request, membership_messages::nack,
                 membership_messages::gossip, membership_messages::offer, membership_messages::same,
                 membership_messages::table, membership_messages::join,
                 membership_messages::join_ok, membership_messages::refused,
                 membership_messages::leave>;

struct membership_header {
  std::uint64_t cluster = 0; ///< `cluster_hash` of its id
  node_id sender;
  std::uint64_t boot_epoch = 0;
  std::uint64_t inc = 0;
};

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
constexpr std::uint64_t cluster_hash(std::string_view cluster) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : cluster)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

namespace membership_limits {
inline constexpr std::size_t frame_bytes = 16 * 1024;
inline constexpr std::size_t updates = 240;
inline constexpr std::size_t name_bytes = 255;
inline constexpr std::size_t address_bytes = 255;
inline constexpr std::size_t meta_bytes = 512;
inline constexpr std::size_t cluster_bytes = 255;
inline constexpr std::size_t text_bytes = 255;
/// Parts of a table of 4,096 members whose texts are all as long as allowed.
inline constexpr std::size_t parts = 512;
} // namespace membership_limits

} // namespace edupulse
