#include "schemas/error.hpp"
#include "tests/support/catch.hpp"
#include <set>

using namespace edupulse;

TEST_CASE("error: every code has a name of its own") {
  std::set<std::string_view> names;
  constexpr auto last = static_cast<int>(errc::refused);
  for (int code = 1; code <= last; ++code)
    names.insert(to_string(static_cast<errc>(code)));
  CHECK(names.size() == static_cast<std::size_t>(last));
  CHECK(names.count("unknown") == 0);
}

TEST_CASE("error: an error reads as its code and its sentence") {
  CHECK(to_string(error{errc::too_large, "the event takes 9 bytes: the limit is 8"}) ==
        "too_large: the event takes 9 bytes: the limit is 8");
  CHECK(to_string(error{errc::stopping, ""}) == "stopping");
}

TEST_CASE("error: quoted text from outside cannot break out of its line") {
  CHECK(quote("lesson.published") == "\"lesson.published\"");
  CHECK(quote("a\nb\x1b[31m") == "\"a\\x0ab\\x1b[31m\"");
  CHECK(quote("say \"hi\" \\") == "\"say \\\"hi\\\" \\\\\"");
  CHECK(quote("\xe2\x80\xae") == "\"\\xe2\\x80\\xae\""); // a right-to-left override
  CHECK(quote(std::string_view("\0", 1)) == "\"\\x00\"");
}

TEST_CASE("error: quoted text is cut to a length that a log can bear, and says so") {
  CHECK(quote(std::string(1'000'000, 'x'), 4) == "\"xxxx\"... (1000000 bytes)");
}
