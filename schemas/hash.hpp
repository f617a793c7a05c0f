#pragma once
// One hash for topics and keys. It decides which worker of a subscription and which member of a
// group gets a key, and where the router finds a topic, as one node sees it; it is no part of any
// format and may change with a release.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace edupulse {

/// Spreads the bits of one number over all 64. The finisher of SplitMix64 (Steele, Lea, Flood:
/// "Fast splittable pseudorandom number generators", 2014).
constexpr std::uint64_t mix_bits(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// `Word` from unaligned memory.
template <class Word> inline std::uint64_t load(const char* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// A hash of `text`, eight bytes at a time: topics and keys are hashed once for each event, and a
/// bytewise loop costs more than making the id. The last eight bytes may overlap those before,
/// which spares a copy of the tail. Not for tables that an attacker must not be able to fill
/// unevenly.
inline std::uint64_t text_hash(std::string_view text) noexcept {
  constexpr std::uint64_t odd = 0xd6e8feb86659fd93ULL;
  const char* at = text.data();
  const std::size_t size = text.size();
  std::uint64_t state = 0x9e3779b97f4a7c15ULL ^ size;
  if (size >= 8) {
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      state = (state ^ load<std::uint64_t>(at + i)) * odd;
      state ^= state >> 32;
    }
    return mix_bits(state ^ load<std::uint64_t>(at + size - 8));
  }
  if (size >= 4)
    return mix_bits(state ^ load<std::uint32_t>(at) ^ load<std::uint32_t>(at + size - 4) << 32);
  if (size == 0)
    return mix_bits(state);
  const auto byte = [at](std::size_t i) { return load<std::uint8_t>(at + i); };
  return mix_bits(state ^ byte(0) ^ byte(size / 2) << 8 ^ byte(size - 1) << 16);
}

} // namespace edupulse
