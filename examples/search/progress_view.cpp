#include "progress_view.hpp"
#include <algorithm>
#include <cstdio>

namespace edupulse::search {

namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789,.-") == std::string::npos;
}

std::uint64_t per_second(std::uint64_t count, std::chrono::milliseconds elapsed) {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(elapsed.count(), 1));
  return count * 1000 / ms;
}

std::string two_decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string blanks(width - std::min(width, columns(text)), ' ');
  return right ? blanks + text : text + blanks;
}

} // namespace

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3)
    digits.insert(at - 3, ",");
  return digits;
}

std::string duration_text(std::chrono::milliseconds what) {
  const auto seconds = std::max<std::int64_t>((what.count() + 500) / 1000, 0);
  const auto pair = [](std::int64_t large, std::int64_t small) {
    return std::to_string(large) + (small < 10 ? ":0" : ":") + std::to_string(small);
  };
  if (seconds < 60)
    return std::to_string(seconds) + " s";
  if (seconds < 3600)
    return pair(seconds / 60, seconds % 60) + " min";
  return pair(seconds / 3600, seconds % 3600 / 60) + " h";
}

std::optional<std::chrono::milliseconds> time_left(const progress_numbers& now) {
  if (!now.fraction || *now.fraction <= 0.01 || *now.fraction > 1 || now.elapsed.count() <= 0)
    return std::nullopt;
  const double total = static_cast<double>(now.elapsed.count()) / *now.fraction;
  return std::chrono::milliseconds(static_cast<std::int64_t>(total)) - now.elapsed;
}

std::string progress_bar(const progress_numbers& now, std::size_t width) {
  std::string line;
  if (now.fraction) {
    const double fraction = std::clamp(*now.fraction, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(fraction * 20);
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3d %%", static_cast<int>(fraction * 100));
    line = "[" + std::string(full, '#') + std::string(20 - full, '.') + "] " + percent + "  ";
  }
  line += with_commas(per_second(now.published, now.elapsed)) + "/s  " + with_commas(now.queued) +
          " queued  " + with_commas(now.handled) + " handled";
  if (now.dead > 0)
    line += "  " + with_commas(now.dead) + " dead";
  if (const auto left = time_left(now))
    line += "  " + duration_text(*left) + " left";
  return fit(line, width);
}

std::string progress_plain(const progress_numbers& now) {
  std::string line = duration_text(now.elapsed) + ": " + with_commas(now.published) +
                     " published (" + with_commas(per_second(now.published, now.elapsed)) +
                     "/s), " + with_commas(now.queued) + " queued, " + with_commas(now.handled) +
                     " handled, " + with_commas(now.failed_tries) + " failed tries, " +
                     with_commas(now.dead) + " dead";
  if (now.skipped > 0)
    line += ", " + with_commas(now.skipped) + " lines skipped";
  if (const auto left = time_left(now))
    line += ", " + duration_text(*left) + " left";
  return line;
}

std::string aligned_table(const std::vector<std::vector<std::string>>& rows, std::size_t width) {
  if (rows.empty())
    return {};
  const std::size_t count = rows.front().size();
  std::vector<std::size_t> widths(count, 0);
  std::vector<bool> right(count, rows.size() > 1);
  for (std::size_t r = 0; r < rows.size(); ++r)
    for (std::size_t c = 0; c < count; ++c) {
      widths[c] = std::max(widths[c], columns(rows[r][c]));
      right[c] = right[c] && (r == 0 || is_number(rows[r][c]));
    }
  std::string result;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < count; ++c)
      line += "  " + padded(fit(row[c], widths[c]), widths[c], right[c]);
    line.erase(line.find_last_not_of(' ') + 1);
    result += (width == 0 ? line : fit(line, width)) + "\n";
  }
  return result;
}

std::string ranked_titles(const std::string& query, const std::vector<hit>& hits,
                          std::size_t width) {
  if (hits.empty())
    return "  no lesson matches \"" + fit(query, 80) + "\"\n";
  std::vector<std::vector<std::string>> rows = {{"", "score", "lesson", "title"}};
  for (const hit& each : hits)
    rows.push_back(
        {std::to_string(rows.size()), two_decimals(each.score), each.lesson_id, each.title});
  return aligned_table(rows, width);
}

std::string heading(const std::string& text, bool colors) {
  return colors ? "\x1b[1m" + text + "\x1b[0m" : text;
}

std::string fit(const std::string& text, std::size_t width) {
  std::string shown = text;
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  if (columns(shown) <= width)
    return shown;
  const std::size_t keep = width > 3 ? width - 3 : width;
  std::size_t bytes = 0;
  for (std::size_t seen = 0; bytes < shown.size(); ++bytes)
    if (begins_character(shown[bytes]) && ++seen > keep)
      break;
  return shown.substr(0, bytes) + (width > 3 ? "..." : "");
}

} // namespace edupulse::search
