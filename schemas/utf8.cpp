#include "schemas/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace edupulse {

namespace {

constexpr bool within(unsigned char byte, unsigned char low, unsigned char high) noexcept {
  return byte >= low && byte <= high;
}

/// The length of the character that begins `at`, 0 when there is none. The table is 3-7 of the
/// Unicode standard ("Well-Formed UTF-8 Byte Sequences"): only the second byte has narrower ranges.
std::size_t character_length(const unsigned char* at, std::size_t left) noexcept {
  const unsigned char lead = at[0];
  if (lead < 0x80)
    return 1;
  const std::size_t length = within(lead, 0xc2, 0xdf)   ? 2
                             : within(lead, 0xe0, 0xef) ? 3
                             : within(lead, 0xf0, 0xf4) ? 4
                                                        : 0;
  if (length == 0 || length > left)
    return 0;
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (!within(at[1], low, high))
    return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!within(at[i], 0x80, 0xbf))
      return 0;
  return length;
}

} // namespace

std::size_t utf8_prefix(std::string_view text) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t chunk;
    if (text.size() - at >= sizeof chunk) {
      std::memcpy(&chunk, bytes + at, sizeof chunk);
      if ((chunk & 0x8080808080808080ULL) == 0) {
        at += sizeof chunk;
        continue;
      }
    }
    const std::size_t length = character_length(bytes + at, text.size() - at);
    if (length == 0)
      return at;
    at += length;
  }
  return at;
}

} // namespace edupulse
