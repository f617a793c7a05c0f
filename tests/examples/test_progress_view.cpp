#include "progress_view.hpp"
#include "tests/support/catch.hpp"

using namespace edupulse::search;
using namespace std::chrono_literals;

namespace {

progress_numbers half_way() {
  progress_numbers now;
  now.elapsed = 10s;
  now.published = 12'500;
  now.handled = 37'000;
  now.queued = 500;
  now.failed_tries = 13;
  now.dead = 5;
  now.fraction = 0.5;
  return now;
}

} // namespace

TEST_CASE("progress: numbers have commas") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1234567) == "1,234,567");
  CHECK(with_commas(18446744073709551615ULL) == "18,446,744,073,709,551,615");
}

TEST_CASE("progress: durations read as people say them") {
  CHECK(duration_text(0ms) == "0 s");
  CHECK(duration_text(-5s) == "0 s");
  CHECK(duration_text(1499ms) == "1 s");
  CHECK(duration_text(65s) == "1:05 min");
  CHECK(duration_text(7380s) == "2:03 h");
}

TEST_CASE("progress: time left is told from the rate, and not before there is one") {
  CHECK(time_left(half_way()) == 10s);
  progress_numbers now = half_way();
  now.fraction.reset();
  CHECK_FALSE(time_left(now));
  now.fraction = 0.001;
  CHECK_FALSE(time_left(now));
}

TEST_CASE("progress: the bar shows rate, queued, handled and time left, within the width") {
  CHECK(progress_bar(half_way(), 200) ==
        "[##########..........]  50 %  1,250/s  500 queued  37,000 handled  5 dead  10 s left");
  for (std::size_t width = 1; width < 90; ++width)
    CHECK(progress_bar(half_way(), width).size() <= width);
}

TEST_CASE("progress: from a pipe, whose size nobody knows, there is no bar and no time left") {
  progress_numbers now = half_way();
  now.fraction.reset();
  CHECK(progress_bar(now, 200) == "1,250/s  500 queued  37,000 handled  5 dead");
}

TEST_CASE("progress: the plain line says all of it") {
  progress_numbers now = half_way();
  now.skipped = 2;
  CHECK(progress_plain(now) == "10 s: 12,500 published (1,250/s), 500 queued, 37,000 handled, "
                               "13 failed tries, 5 dead, 2 lines skipped, 10 s left");
}

TEST_CASE("progress: at the very start nothing is divided by zero") {
  CHECK(progress_plain({}) ==
        "0 s: 0 published (0/s), 0 queued, 0 handled, 0 failed tries, 0 dead");
}

TEST_CASE("table: numbers to the right, texts to the left, no trailing blanks") {
  CHECK(aligned_table({{"name", "count", "cause"}, {"a", "1", "x"}, {"long name", "12,345", ""}},
                      0) == "  name        count  cause\n"
                            "  a               1  x\n"
                            "  long name  12,345\n");
  CHECK(aligned_table({}, 0).empty());
}

TEST_CASE("table: lines are cut to the width of the terminal") {
  const auto table = aligned_table({{"id", "title"}, {"1", std::string(200, 'x')}}, 40);
  CHECK(table.find(std::string(40, 'x')) == std::string::npos);
  CHECK(table.find("...\n") != std::string::npos);
}

TEST_CASE("text that comes from outside cannot move the cursor or ring a bell") {
  CHECK(fit("a\x1b[2Jb\ac\n", 100) == "a?[2Jb?c?");
}

TEST_CASE("text is cut by characters, not in the middle of one") {
  CHECK(fit("Übermäßig", 9) == "Übermäßig");
  CHECK(fit("Übermäßig", 8) == "Überm...");
  CHECK(fit("量子力学入門", 5) == "量子...");
  CHECK(fit("abcdef", 3) == "abc");
  CHECK(fit("abc", 0).empty());
}

TEST_CASE("ranked titles have places and scores; no hit is a sentence") {
  CHECK(ranked_titles("q", {{"lesson-1", "Quantum Mechanics 101", 12.345}, {"l-2", "Waves", 1}},
                      0) == "     score  lesson    title\n"
                            "  1  12.35  lesson-1  Quantum Mechanics 101\n"
                            "  2   1.00  l-2       Waves\n");
  CHECK(ranked_titles("alchemy", {}, 0) == "  no lesson matches \"alchemy\"\n");
}

TEST_CASE("headings are bold only where colors are wanted") {
  CHECK(heading("Ledger", false) == "Ledger");
  CHECK(heading("Ledger", true) == "\x1b[1mLedger\x1b[0m");
}
