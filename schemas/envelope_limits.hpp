#pragma once
// What an envelope may hold. Writers refuse to exceed it and the validator refuses to accept more,
// so an event that was published here is never refused by a peer of the same release.

#include <cstddef>

namespace edupulse {

/// Bytes of one encoded envelope, header and payload together; the default limit of a node.
inline constexpr std::size_t default_max_envelope_bytes = 1024 * 1024 + 4 * 1024;
/// No configuration can raise the limit above this: offsets are counted in 32 bits.
inline constexpr std::size_t hard_max_envelope_bytes = std::size_t{1} << 30;
inline constexpr std::size_t max_key_bytes = 512;
inline constexpr std::size_t max_meta_entries = 64;
/// Names and values of all entries together.
inline constexpr std::size_t max_meta_bytes = 16 * 1024;

} // namespace edupulse
