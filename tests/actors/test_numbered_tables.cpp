// Tables of what goes by a number: they hold what a plain map would hold, and what is in them stays
// where it is, since connections and peers are spoken of by address.

#include "actors/id_map.hpp"
#include "actors/slots.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <map>
#include <vector>

using namespace edupulse;
using namespace edupulse::test;

namespace {

struct thing {
  std::uint64_t value = 0;
};

/// What is there and where, beside a map that was told the same.
template <class Table>
void expect_same(const Table& ours, const std::map<std::uint64_t, const thing*>& plain) {
  REQUIRE(ours.size() == plain.size());
  std::size_t seen = 0;
  ours.for_each([&](std::uint64_t which, const thing& one) {
    ++seen;
    REQUIRE(plain.at(which) == &one);
    REQUIRE(one.value == which);
  });
  CHECK(seen == plain.size());
}

} // namespace

TEST_CASE("a table by number holds what a map holds, each where it was first put") {
  random_numbers dice;
  id_map<thing> ours;
  std::map<std::uint64_t, const thing*> plain;
  for (int i = 0; i < 20'000; ++i) {
    const auto which =
        dice.one_in(2) ? dice.below(300ul) : dice.below(300ul) << 32; // sessions are random
    if (dice.one_in(2)) {
      auto& one = ours[which];
      one.value = which;
      plain.emplace(which, &one);
    } else if (dice.one_in(2)) {
      REQUIRE(ours.erase(which) == (plain.erase(which) > 0));
    } else {
      const auto taken = ours.extract(which);
      const auto known = plain.find(which);
      REQUIRE((taken != nullptr) == (known != plain.end()));
      if (taken) {
        REQUIRE(taken.get() == known->second);
        plain.erase(known);
      }
    }
    REQUIRE(ours.find(which) == (plain.contains(which) ? plain.at(which) : nullptr));
  }
  expect_same(ours, plain);
}

TEST_CASE("a row of places is walked through by number, whatever the order they were taken in") {
  random_numbers dice;
  slots<thing> ours;
  std::map<std::uint64_t, const thing*> plain;
  for (int i = 0; i < 20'000; ++i) {
    const auto which = dice.below(200u);
    if (!ours.contains(which)) {
      auto& one = ours.add(which);
      one.value = which;
      plain.emplace(which, &one);
    } else if (dice.one_in(2)) {
      ours.erase(which);
      plain.erase(which);
    }
  }
  expect_same(ours, plain);
  std::vector<std::uint32_t> walked;
  ours.for_each([&](std::uint32_t which, thing&) { walked.push_back(which); });
  CHECK(std::is_sorted(walked.begin(), walked.end()));
  CHECK(ours.find(4'000'000'000) == nullptr);
}
