#pragma once
// Ids of different things are different types: all are UUIDs (RFC 9562), none converts to another.

#include "schemas/error.hpp"
#include <atomic>
#include <boost/uuid/uuid.hpp>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace edupulse {

template <class Tag> struct id {
  boost::uuids::uuid value{};

  bool is_nil() const noexcept { return value.is_nil(); }
  friend bool operator==(const id& a, const id& b) noexcept { return a.value == b.value; }
  friend bool operator<(const id& a, const id& b) noexcept { return a.value < b.value; }
};

/// One process that runs the runtime. Random (version 4), kept in the data directory if there is
/// one.
using node_id = id<struct node_tag>;
/// One event for ever. Version 7: sorts by time, and on one node in publish order.
using event_id = id<struct event_tag>;
/// One subscription on one node. Version 5 of (node name, subscription name): survives restarts.
using subscription_id = id<struct subscription_tag>;

/// 36 characters, lower case.
std::string to_string(const boost::uuids::uuid& value);
template <class Tag> std::string to_string(const id<Tag>& what) { return to_string(what.value); }

/// Reads the 36-character form, either case. Errors: `malformed`.
expected<boost::uuids::uuid> parse_uuid(std::string_view text);

/// A random (version 4) id from 128 bits that the caller drew.
node_id make_node_id(std::uint64_t random_hi, std::uint64_t random_lo);

/// The version 5 id of a subscription: a function of the two names and nothing else.
subscription_id make_subscription_id(std::string_view node_name, std::string_view subscription);

/// The version 5 id of an event that others gave an id which is no UUID, unique within `source`: a
/// function of the two texts and nothing else.
event_id make_foreign_event_id(std::string_view source, std::string_view text);

/// Big-endian halves, as the envelope carries them.
inline std::uint64_t high_half(const boost::uuids::uuid& value) noexcept {
  std::uint64_t half;
  std::memcpy(&half, value.data, sizeof half);
  return __builtin_bswap64(half);
}
inline std::uint64_t low_half(const boost::uuids::uuid& value) noexcept {
  std::uint64_t half;
  std::memcpy(&half, value.data + 8, sizeof half);
  return __builtin_bswap64(half);
}
inline boost::uuids::uuid from_halves(std::uint64_t high, std::uint64_t low) noexcept {
  // One store of 16 bytes: ids are copied right after they are made, and a 16-byte load behind two
  // 8-byte stores stalls until both have left the store buffer.
  using pair = std::uint64_t __attribute__((vector_size(16)));
  const pair big_endian = {__builtin_bswap64(high), __builtin_bswap64(low)};
  boost::uuids::uuid value;
  std::memcpy(value.data, &big_endian, sizeof big_endian);
  return value;
}

/// Makes event ids: UUID version 7, strictly increasing on this object even when the clock steps
/// back or stands still. Layout (RFC 9562, method 1 of 6.2): 48 bits of Unix milliseconds, 16 bits
/// of counter (12 in rand_a, 4 at the head of rand_b), 58 bits that look random. A counter that
/// runs over lends from the next millisecond, which the RFC allows. Any thread may call `next`.
class event_id_source {
public:
  /// `seed` is drawn by the caller; two nodes with one seed may make the same ids.
  explicit event_id_source(std::uint64_t seed) noexcept : seed_(seed) {}

  /// `now_ms`: Unix time in milliseconds.
  event_id next(std::int64_t now_ms) noexcept;

private:
  std::uint64_t seed_;
  std::atomic<std::uint64_t> last_{0}; // milliseconds << 16 | counter
};

} // namespace edupulse

template <class Tag> struct std::hash<edupulse::id<Tag>> {
  std::size_t operator()(const edupulse::id<Tag>& what) const noexcept {
    std::uint64_t low;
    std::memcpy(&low, what.value.data + 8, sizeof low);
    return static_cast<std::size_t>(low * 0x9e3779b97f4a7c15ULL);
  }
};
