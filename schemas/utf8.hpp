#pragma once

#include <cstddef>
#include <string_view>

namespace edupulse {

/// Where `text` stops being UTF-8 (RFC 3629: shortest forms, no surrogates, at most U+10FFFF), or
/// `text.size()` when all of it is. Linear; eight bytes at a time while they are ASCII.
std::size_t utf8_prefix(std::string_view text) noexcept;

inline bool is_utf8(std::string_view text) noexcept { return utf8_prefix(text) == text.size(); }

} // namespace edupulse
