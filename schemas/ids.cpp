#include "schemas/ids.hpp"

#include "schemas/hash.hpp"
#include <algorithm>
#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid_io.hpp>

namespace edupulse {

namespace {

// The namespace of subscription ids (RFC 9562, 5.5): drawn once, for this project, and never to
// change.
constexpr boost::uuids::uuid subscription_namespace{{0x6f, 0x0d, 0x3c, 0x57, 0x8e, 0x21, 0x4b, 0x9a,
                                                     0xa4, 0x16, 0x2e, 0xd8, 0x73, 0x05, 0xbc,
                                                     0xf1}};

// That of events of others.
constexpr boost::uuids::uuid foreign_namespace{{0xb2, 0x4f, 0x90, 0xe1, 0x3d, 0x57, 0x4c, 0x08,
                                                0x9b, 0x62, 0xd4, 0x1a, 0x7e, 0xc5, 0x38, 0x0f}};

constexpr std::uint64_t counter_bits = 16;
constexpr std::int64_t max_milliseconds = (std::int64_t{1} << 48) - 1;

constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

constexpr bool is_dash_position(std::size_t i) noexcept {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

tl::unexpected<error> bad_uuid(std::string_view text) {
  return fail(errc::malformed,
              quote(text) + " is not a UUID: 36 characters are expected, hexadecimal digits in "
                            "groups of 8-4-4-4-12");
}

/// The length keeps ("ab", "c") and ("a", "bc") apart, whatever bytes the texts are made of.
boost::uuids::uuid named_id(const boost::uuids::uuid& space, std::string_view owner,
                            std::string_view text) {
  std::string name = std::to_string(owner.size());
  name.append(":").append(owner).append(text);
  return boost::uuids::name_generator_sha1(space)(name);
}

} // namespace

std::string to_string(const boost::uuids::uuid& value) { return boost::uuids::to_string(value); }

expected<boost::uuids::uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36)
    return bad_uuid(text);
  boost::uuids::uuid value{};
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_dash_position(i)) {
      if (text[i] != '-')
        return bad_uuid(text);
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0)
      return bad_uuid(text);
    auto& byte = value.data[nibble / 2];
    byte = static_cast<std::uint8_t>((byte << 4) | digit);
    ++nibble;
  }
  return value;
}

node_id make_node_id(std::uint64_t random_hi, std::uint64_t random_lo) {
  constexpr std::uint64_t version_4 = 0x4000;
  constexpr std::uint64_t variant = std::uint64_t{2} << 62;
  return {from_halves((random_hi & ~std::uint64_t{0xf000}) | version_4,
                      (random_lo & ~(std::uint64_t{3} << 62)) | variant)};
}

subscription_id make_subscription_id(std::string_view node_name, std::string_view subscription) {
  return {named_id(subscription_namespace, node_name, subscription)};
}

event_id make_foreign_event_id(std::string_view source, std::string_view text) {
  return {named_id(foreign_namespace, source, text)};
}

event_id event_id_source::next(std::int64_t now_ms) noexcept {
  const auto milliseconds =
      static_cast<std::uint64_t>(std::clamp<std::int64_t>(now_ms, 0, max_milliseconds));
  const std::uint64_t earliest = milliseconds << counter_bits;
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  std::uint64_t stamp;
  do
    stamp = std::max(earliest, last + 1);
  while (!last_.compare_exchange_weak(last, stamp, std::memory_order_relaxed));

  const std::uint64_t counter = stamp & 0xffff;
  const std::uint64_t noise = mix_bits(seed_ + mix_bits(stamp)) >> 6; // 58 bits
  const std::uint64_t high = (stamp & ~std::uint64_t{0xffff}) | 0x7000 | (counter >> 4);
  const std::uint64_t low = (std::uint64_t{2} << 62) | ((counter & 0xf) << 58) | noise;
  return {from_halves(high, low)};
}

} // namespace edupulse
