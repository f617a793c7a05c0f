#include "examples/simulator/rest.hpp"
#include "tests/support/catch.hpp"
#include <array>

namespace {

using edupulse::simulator::rest_watch;
using edupulse::simulator::work_report;

} // namespace

TEST_CASE("nodes are at rest after two rounds in which nothing was owed or published") {
  rest_watch watch;
  std::array<work_report, 2> said{{{90, 7, 0}, {95, 3, 0}}};
  CHECK_FALSE(watch.is_at_rest(100, said)); // those words are older than the first look
  said = {{{110, 7, 0}, {99, 3, 0}}};
  CHECK_FALSE(watch.is_at_rest(120, said)); // one of them still is
  said[1] = {115, 3, 0};
  CHECK_FALSE(watch.is_at_rest(130, said)); // a round
  said[0] = {125, 7, 0};                    // begun before the round was over
  said[1] = {135, 3, 0};
  CHECK_FALSE(watch.is_at_rest(140, said));
  said[0] = {137, 7, 0};
  CHECK(watch.is_at_rest(150, said));
}

TEST_CASE("a node that published between two rounds begins them anew") {
  rest_watch watch;
  std::array<work_report, 2> said{};
  CHECK_FALSE(watch.is_at_rest(100, said));
  said = {{{110, 7, 0}, {110, 3, 0}}};
  CHECK_FALSE(watch.is_at_rest(120, said));
  said = {{{130, 8, 0}, {130, 3, 0}}}; // its event was handled before it counted
  CHECK_FALSE(watch.is_at_rest(140, said));
  said = {{{150, 8, 0}, {150, 3, 0}}};
  CHECK(watch.is_at_rest(160, said));
}

TEST_CASE("a node that owes something is not at rest, and what was said before does not count") {
  rest_watch watch;
  std::array<work_report, 2> said{};
  CHECK_FALSE(watch.is_at_rest(100, said));
  said = {{{110, 7, 0}, {110, 3, 0}}};
  CHECK_FALSE(watch.is_at_rest(120, said));
  said[1] = {130, 3, 1};
  CHECK_FALSE(watch.is_at_rest(140, said));
  said = {{{150, 7, 0}, {150, 3, 0}}};
  CHECK_FALSE(watch.is_at_rest(160, said));
  said = {{{170, 7, 0}, {170, 3, 0}}};
  CHECK(watch.is_at_rest(180, said));
}
