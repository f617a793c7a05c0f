#pragma once
// Cap'n Proto's pointers, by hand (https://capnproto.org/encoding.html): for messages that no
// library would write.

#include <cstdint>
#include <vector>

namespace edupulse::test {

constexpr std::uint64_t struct_pointer(std::int32_t offset, std::uint64_t data,
                                       std::uint64_t pointers) {
  return static_cast<std::uint32_t>(offset) << 2 | data << 32 | pointers << 48;
}
constexpr std::uint64_t list_pointer(std::int32_t offset, std::uint64_t element,
                                     std::uint64_t count) {
  return (static_cast<std::uint32_t>(offset) << 2 | 1) | element << 32 | count << 35;
}
inline constexpr std::uint64_t void_element = 0;
inline constexpr std::uint64_t byte_element = 2;
inline constexpr std::uint64_t pointer_element = 6;
inline constexpr std::uint64_t composite = 7;
inline constexpr std::uint64_t most_elements = (std::uint64_t{1} << 29) - 1;
inline constexpr std::uint64_t far_pointer = 2 | std::uint64_t{1} << 3;
inline constexpr std::uint64_t double_far_pointer = far_pointer | 4;
inline constexpr std::uint64_t capability = 3;

/// Wherever a list is expected, none of these leads to one that is there.
inline const std::vector<std::uint64_t> pointers_to_nothing{
    far_pointer | std::uint64_t{1} << 32,          // in a second segment
    far_pointer | std::uint64_t{0xffffffff} << 32, // in the last of 2^32
    double_far_pointer | std::uint64_t{1} << 32,
    2, // in this one, at its first word
    capability,
    struct_pointer(-1, 0, 1), // to itself
    struct_pointer(0, 0xffff, 0xffff),
    list_pointer(0, void_element, most_elements), // no bytes on the wire, an age to walk through
    list_pointer(0, byte_element, most_elements),
    list_pointer(0, composite, most_elements),
    list_pointer(1 << 20, byte_element, 9),
    list_pointer(-(1 << 20), byte_element, 9),
    list_pointer(-1, composite, 0), // whose first word is the pointer itself
};

} // namespace edupulse::test
