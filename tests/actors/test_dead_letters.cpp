#include "actors/dead_letters.hpp"
#include "tests/support/dead_letter_rules.hpp"

using namespace edupulse;
using namespace edupulse::test;

TEST_CASE("dead letters in memory keep the rules of every store") {
  for (const auto& rule : store_rules)
    DYNAMIC_SECTION(rule.name) {
      rule.check([](dead_letter_store::limits bounds) {
        return std::make_unique<memory_dead_letters>(bounds);
      });
    }
}

TEST_CASE("dead letters: a text is cut between characters, and says that it was cut") {
  auto letter = make_letter("indexer");
  letter.reason = std::string(4091, 'x') + "\xe2\x82\xac\xe2\x82\xac"; // two euro signs
  trim(letter);
  CHECK(letter.reason == std::string(4091, 'x') + "...");
  letter.reason = std::string(5000, '\x80'); // no UTF-8 at all
  trim(letter);
  CHECK(letter.reason.size() <= 4096);
  letter.reason = std::string(4096, 'x');
  trim(letter);
  CHECK(letter.reason == std::string(4096, 'x'));
}
