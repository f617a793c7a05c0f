#pragma once
// Short ways to say what the tests of the indexes say often.

#include "search_index.hpp"
#include "tests/support/catch.hpp"
#include <string>
#include <vector>

namespace edupulse::test {

inline search::change put(std::string id, std::string title, std::string body = "A body.") {
  return {search::change::kind::put, std::move(id), "amara.okafor", std::move(title),
          std::move(body)};
}

inline search::change withdraw(std::string id) {
  return {search::change::kind::withdraw, std::move(id)};
}

/// "ok ok retry", so that a whole batch is one comparison.
inline std::string kinds(const std::vector<outcome>& outcomes) {
  std::string text;
  for (const outcome& each : outcomes)
    text += (text.empty() ? "" : " ") + std::string(to_string(each.what()));
  return text;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

} // namespace edupulse::test
