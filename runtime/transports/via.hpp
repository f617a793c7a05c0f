#pragma once
// The clusters that an event came through. A mirror adds the `mark` of its own to what it sends,
// and a source with the same mark leaves that out: so two clusters may copy into each other's
// broker.

#include <algorithm>
#include <string>
#include <string_view>

namespace edupulse {

/// The header, and the metadata: names, with spaces in between.
inline constexpr std::string_view via_header = "edupulse-via";
inline constexpr std::string_view via_meta = "via";

inline std::string with_mark(std::string_view via, std::string_view mark) {
  std::string made(via);
  made += made.empty() ? "" : " ";
  return made.append(mark);
}

inline bool came_through(std::string_view via, std::string_view mark) {
  while (!via.empty()) {
    const auto end = std::min(via.find(' '), via.size());
    if (via.substr(0, end) == mark)
      return true;
    via.remove_prefix(std::min(end + 1, via.size()));
  }
  return false;
}

} // namespace edupulse
