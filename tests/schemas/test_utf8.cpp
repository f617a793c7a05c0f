#include "schemas/utf8.hpp"
#include "tests/support/catch.hpp"
#include <string>

using namespace edupulse;

TEST_CASE("utf8: characters of one to four bytes pass, wherever they begin") {
  const std::string all = "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                          "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  for (std::size_t shift = 0; shift < 9; ++shift)
    CHECK(is_utf8(std::string(shift, 'x') + all));
  CHECK(is_utf8(""));
  CHECK(is_utf8(std::string_view("\0", 1)));
}

TEST_CASE("utf8: what RFC 3629 forbids is found at its first byte") {
  const std::string bad[] = {
      "\x80",             // a continuation alone
      "\xbf",             //
      "\xc0\x80",         // an overlong zero
      "\xc1\xbf",         //
      "\xe0\x80\x80",     // overlong
      "\xe0\x9f\xbf",     //
      "\xed\xa0\x80",     // a surrogate
      "\xed\xbf\xbf",     //
      "\xf0\x80\x80\x80", // overlong
      "\xf0\x8f\xbf\xbf", //
      "\xf4\x90\x80\x80", // beyond U+10FFFF
      "\xf5\x80\x80\x80", //
      "\xff",             //
      "\xc2",             // cut short
      "\xe2\x82",         //
      "\xf0\x9f\x98",     //
      "\xc2x",            // a lead without its continuation
      "\xe2\x82x",        //
  };
  for (const std::string& text : bad)
    for (std::size_t before = 0; before < 10; ++before) {
      INFO(before);
      CHECK(utf8_prefix(std::string(before, 'a') + text) == before);
    }
}
