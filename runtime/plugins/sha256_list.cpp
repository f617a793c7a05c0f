#include "runtime/plugins/sha256_list.hpp"

#include "runtime/descriptor.hpp"
#include "runtime/plugins/trusted_file.hpp"
#include <algorithm>
#include <sstream>

namespace edupulse {

namespace {

constexpr std::size_t longest_list = std::size_t{1} << 20;
constexpr std::size_t digits = 64;

/// sha256sum begins a line with a backslash when the file's name needed one.
std::string_view digest_in(std::string_view line) {
  if (line.starts_with('\\'))
    line.remove_prefix(1);
  const auto digest = line.substr(0, digits);
  const bool ends = line.size() == digits || (line.size() > digits && line[digits] == ' ');
  const bool is_hex = digest.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  return digest.size() == digits && ends && is_hex ? digest : std::string_view();
}

bool is_same(std::string_view digest, const std::string& sha256) {
  return std::equal(digest.begin(), digest.end(), sha256.begin(), sha256.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'F' ? a - 'A' + 'a' : a) == b; });
}

} // namespace

expected<void> check_allowed(const std::filesystem::path& list, const std::string& sha256) {
  const file_subject of{"list of allowed plugins", list};
  const auto number = open_trusted(of);
  if (!number)
    return tl::unexpected(number.error());
  const descriptor opened(*number);
  const auto text = read_whole(of, opened.number(), longest_list);
  if (!text)
    return tl::unexpected(text.error());
  std::istringstream lines(*text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    ++count;
    if (line.empty() || line.starts_with('#'))
      continue;
    const auto digest = digest_in(line);
    if (digest.empty())
      return of.refused("line " + std::to_string(count) +
                        " is none of sha256sum: 64 hexadecimal digits, two spaces, a name");
    if (is_same(digest, sha256))
      return {};
  }
  return of.refused("its SHA-256 is not in it, " + sha256 +
                    ": add it with `sha256sum FILE >> LIST` once you trust it");
}

} // namespace edupulse
