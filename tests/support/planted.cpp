// Which planted bug is at work: EDUPULSE_BUG=<name>. Linked into the build that has them, and into
// no other.

#include "schemas/planted.hpp"
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace edupulse {

namespace {

/// Characters to change, add or leave out (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j < row.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row.back();
}

std::size_t asked_for() {
  const char* name = std::getenv("EDUPULSE_BUG");
  if (name == nullptr || *name == '\0')
    return 0;
  if (const auto number = bug::find(name); number != 0)
    return number;
  const auto* nearest = std::min_element(std::begin(planted_bugs), std::end(planted_bugs),
                                         [&](const auto& a, const auto& b) {
                                           return distance(a.name, name) < distance(b.name, name);
                                         });
  std::cerr << "EDUPULSE_BUG: there is no bug '" << name << "'; the nearest is '" << nearest->name
            << "'\n";
  std::exit(2);
}

} // namespace

extern const std::size_t bug_at_work = asked_for();

} // namespace edupulse
