#pragma once
// What programs print, for tests that look into it.

#include "tests/support/catch.hpp"
#include <nlohmann/json.hpp>
#include <string>

namespace edupulse::test {

inline nlohmann::json parse_json(const std::string& text) {
  INFO(text);
  auto all = nlohmann::json::parse(text, nullptr, false);
  REQUIRE_FALSE(all.is_discarded());
  return all;
}

} // namespace edupulse::test
