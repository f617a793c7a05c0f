#include "tests/support/catch.hpp"
#include "view.hpp"

using namespace edupulse::simulator;

namespace {

view_numbers half_way() {
  view_numbers now;
  now.title = "kill-one, seed 7";
  now.seconds = 4.25;
  now.fraction = 0.5;
  now.left = 4;
  now.published = 8'000;
  now.handled = 24'000;
  for (int i = 1; i <= 3; ++i)
    now.nodes.push_back({"n" + std::to_string(i), i == 2 ? "down" : "up", i == 1 ? 2000.0 : 0.0,
                         2000, 12, i == 1 ? "n2:suspect" : ""});
  now.faults = {"2.0 s: kill n2"};
  return now;
}

} // namespace

TEST_CASE("simulator view: a block has the numbers, a bar, a row for each node and the faults") {
  const auto lines = draw(half_way(), 80, 24);
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == "kill-one, seed 7  4.2 s  published 8,000  handled 24,000");
  CHECK(lines[1].find("50 %, 4.0 s left") != std::string::npos);
  CHECK(lines[3].find("n1") != std::string::npos);
  CHECK(lines[3].find("n2:suspect") != std::string::npos);
  CHECK(lines[4].find("down") != std::string::npos);
  CHECK(lines[6] == "2.0 s: kill n2");
}

TEST_CASE("simulator view: no line is wider than the terminal, and no block is higher") {
  auto now = half_way();
  now.title = "a scenario whose name is very long, \x1b[31mand hostile";
  for (int i = 4; i <= 60; ++i)
    now.nodes.push_back({"n" + std::to_string(i), "up", 1e9, 1e9, 1ULL << 60, "n1:dead n2:dead"});
  for (const std::size_t width : {20u, 40u, 200u}) {
    const auto lines = draw(now, width, 24);
    CHECK(lines.size() < 24);
    for (const auto& line : lines) {
      CHECK(line.size() <= width);
      CHECK(line.find('\x1b') == std::string::npos);
    }
  }
}

TEST_CASE("simulator view: without a terminal it is one line") {
  CHECK(plain_line(half_way()) == "4.2 s: 8,000 published, 24,000 handled, 36 owed; n2 is down");
}
