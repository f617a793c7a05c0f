#pragma once
// What people see: pure functions from numbers to text.

#include "search_index.hpp"
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edupulse::search {

struct progress_numbers {
  std::chrono::milliseconds elapsed{};
  std::uint64_t published = 0;      ///< events
  std::uint64_t handled = 0;        ///< deliveries, three for most lessons
  std::uint64_t queued = 0;         ///< deliveries that are owed
  std::uint64_t failed_tries = 0;   ///< tries that ended in a retry or a crash
  std::uint64_t dead = 0;           ///< deliveries in the dead letters
  std::uint64_t skipped = 0;        ///< lines that are no event
  std::optional<double> fraction{}; ///< of the input that was read, when its size is known
};

/// 1234567 as "1,234,567".
std::string with_commas(std::uint64_t number);

/// "9 s", "1:05 min", "2:03 h".
std::string duration_text(std::chrono::milliseconds what);

/// Time left by the rate so far; nothing while it cannot be known.
std::optional<std::chrono::milliseconds> time_left(const progress_numbers& now);

/// One line that is redrawn: a bar when the size of the input is known, never wider than `width`.
std::string progress_bar(const progress_numbers& now, std::size_t width);

/// The same as a line of a log.
std::string progress_plain(const progress_numbers& now);

/// Rows under right-aligned numbers and left-aligned texts: a column is numbers when all its cells
/// are. The first row is the heading. The last column is cut so that lines stay within `width` (0:
/// any).
std::string aligned_table(const std::vector<std::vector<std::string>>& rows, std::size_t width);

/// Ranked titles with scores, best first.
std::string ranked_titles(const std::string& query, const std::vector<hit>& hits,
                          std::size_t width);

/// `text` in bold, or as it is.
std::string heading(const std::string& text, bool colors);

/// `text` in at most `width` columns, "..." at its end when it was cut. Counts UTF-8 characters as
/// one column each, and shows control characters as "?": titles come from outside, terminals obey
/// them.
std::string fit(const std::string& text, std::size_t width);

} // namespace edupulse::search
