#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace edupulse {

/// Unix milliseconds as RFC 3339 in UTC: `2026-11-24T08:33:07.125Z`. Nothing outside the years 0 to
/// 9999.
std::optional<std::string> to_rfc3339(std::int64_t unix_ms);

/// Reads an RFC 3339 date and time with any offset. Digits beyond milliseconds are cut off; a leap
/// second is the second after it. Nothing when it is no such time.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

} // namespace edupulse
