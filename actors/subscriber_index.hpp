#pragma once
// Numbers of subscribers in the routing table, in the order in which it answers them:
//
//     0 ...           subscriptions of this node
//     bit 29          groups
//     bit 31          subscriptions of peers: then whose they are, then a number
//
// Bit 30 is the ledger's, for what subscriptions of this node have received.

#include <cstdint>

namespace edupulse::subscriber_index {

inline constexpr std::uint32_t group = 1u << 29;
constexpr bool is_group(std::uint32_t index) noexcept { return index >> 29 == 1; }

inline constexpr std::uint32_t remote = 1u << 31;
inline constexpr std::uint32_t peer_bits = 12;
inline constexpr std::uint32_t number_bits = 18;
constexpr bool is_remote(std::uint32_t index) noexcept { return (index & remote) != 0; }
constexpr std::uint32_t peer_of(std::uint32_t index) noexcept {
  return (index & ~remote) >> number_bits;
}
constexpr std::uint32_t make(std::uint32_t peer, std::uint32_t number) noexcept {
  return remote | peer << number_bits | number;
}

} // namespace edupulse::subscriber_index
