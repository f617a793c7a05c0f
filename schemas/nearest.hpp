#pragma once
// What somebody may have meant.

#include "schemas/error.hpp"
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

/// Levenshtein's distance.
inline std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// `: did you mean "steady"?` of the nearest, or nothing when none is near.
inline std::string did_you_mean(std::string_view what, const std::vector<std::string>& known) {
  const auto nearest = std::min_element(known.begin(), known.end(), [&](auto& a, auto& b) {
    return edits_between(what, a) < edits_between(what, b);
  });
  if (nearest == known.end() || what.size() > 64 ||
      edits_between(what, *nearest) > std::max<std::size_t>(2, nearest->size() / 3))
    return {};
  return ": did you mean " + quote(*nearest) + "?";
}

} // namespace edupulse
