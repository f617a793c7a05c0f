#pragma once
// JSON texts, before Cap'n Proto's JsonCodec sees them. JsonCodec (0.9.2) accepts what is no JSON,
// says what is wrong without saying where, does not look at UTF-8, and decodes `\u` escapes wrongly
// (`\u00e9` becomes "I"). So a text is checked here first, against RFC 8259, and handed on without
// `\u`.

#include "schemas/error.hpp"
#include <cstddef>
#include <string>
#include <string_view>

namespace edupulse {

/// Arrays and objects inside each other. JSON events are not deeper than their schemas; beyond this
/// a reader that recurses would be at the mercy of whoever wrote the text.
inline constexpr std::size_t max_json_nesting = 64;

/// The same JSON value, with every `\u` escape replaced by the character it stands for (but for
/// zero, which stays `\u0000`). Linear, no recursion. Errors: `bad_json`, with the byte where the
/// text stops being JSON, counted from 1.
expected<std::string> check_json(std::string_view text);

} // namespace edupulse
