#pragma once
// The files of golden conversations, and how a record is compared with one. With
// EDUPULSE_ACCEPT_GOLDEN=1 in the environment it is written instead.

#include "tests/support/catch.hpp"
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace edupulse::test {

using text_lines = std::vector<std::string>;

/// Where the two begin to differ, with what stands before it; empty when they do not. `first` is
/// the number of the first line.
inline std::string first_difference(const text_lines& expected, const text_lines& got,
                                    std::size_t first = 1) {
  constexpr std::size_t before = 4;
  constexpr std::size_t after = 4;
  const auto common = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end()).first;
  const auto at = static_cast<std::size_t>(common - expected.begin());
  if (at == expected.size() && at == got.size())
    return {};
  std::ostringstream text;
  text << "line " << first + at << " is the first that differs (-: the file, +: this run)\n";
  for (auto i = at < before ? 0 : at - before; i < at; ++i)
    text << "    " << expected[i] << '\n';
  const auto show = [&](char mark, const text_lines& of) {
    for (auto i = at; i < std::min(of.size(), at + after); ++i)
      text << "  " << mark << ' ' << of[i] << '\n';
    if (at >= of.size())
      text << "  " << mark << " (the end)\n";
  };
  show('-', expected);
  show('+', got);
  return text.str();
}

/// A paragraph of comment that says what is seen, an empty line, and the lines.
class golden_file {
public:
  explicit golden_file(std::filesystem::path at) : at_(std::move(at)) {
    std::ifstream in(at_);
    bool opening = true;
    for (std::string line; std::getline(in, line);) {
      opening = opening && line.starts_with('#');
      (opening ? opening_ : lines_).push_back(line);
    }
    if (!lines_.empty() && lines_.front().empty())
      lines_.erase(lines_.begin());
  }

  bool has_opening() const { return !opening_.empty(); }
  const text_lines& lines() const { return lines_; }
  /// In the file; as `accept` would write it.
  std::size_t number_of_first_line() const { return opening_.size() + 2; }
  /// Makes `lines` what the file says; the opening stays. False when it cannot be written.
  bool accept(const text_lines& lines) const {
    std::ofstream out(at_);
    for (const auto& line : opening_)
      out << line << '\n';
    out << '\n';
    for (const auto& line : lines)
      out << line << '\n';
    return out.flush().good();
  }

private:
  std::filesystem::path at_;
  text_lines opening_;
  text_lines lines_;
};

/// `program`: the test that plays it, for who wants to accept what is new.
inline void check_golden(const std::filesystem::path& at, const text_lines& lines,
                         const std::string& program) {
  const golden_file file(at);
  const auto name = at.lexically_relative(EDUPULSE_SOURCE_DIR).string();
  if (std::getenv("EDUPULSE_ACCEPT_GOLDEN") != nullptr) {
    REQUIRE(file.accept(lines));
    WARN(name << " was rewritten");
    return;
  }
  if (!file.has_opening())
    FAIL_CHECK("open " << name << " with a comment that says what is seen");
  const auto difference = first_difference(file.lines(), lines, file.number_of_first_line());
  if (!difference.empty())
    FAIL(name << ": " << difference
              << "If this is meant: EDUPULSE_ACCEPT_GOLDEN=1 build/test/tests/" << program
              << " \"golden*\"\nand read `git diff tests/golden`.");
}

} // namespace edupulse::test
