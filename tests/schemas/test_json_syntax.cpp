#include "schemas/json_syntax.hpp"
#include "schemas/utf8.hpp"
#include "tests/support/catch.hpp"

using namespace edupulse;

namespace {

std::string fault_of(std::string_view text) {
  const auto checked = check_json(text);
  INFO(text.substr(0, 100));
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == errc::bad_json);
  return checked.error().text;
}

std::string nested(std::size_t depth, char open, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

} // namespace

TEST_CASE("json_syntax: JSON passes unchanged but for the space between its parts") {
  for (const char* text : {"0", "-0", "1.5e+10", "1E2", "true", "false", "null", "\"\"", "[]", "{}",
                           R"([1,[2,{"a":[]}],"x"])", R"({"a":{"b":null},"c":[true,false]})",
                           R"("\"\\\/\b\f\n\r\t")", "\"\xc3\xa9\""}) {
    INFO(text);
    CHECK(check_json(text).value() == text);
  }
  CHECK(check_json(" { \"a\" :\t[ 1 ,\r\n2 ] } ").value() == R"({"a":[1,2]})");
}

TEST_CASE("json_syntax: a fault is named with its byte") {
  CHECK(fault_of(R"({"a":1,})") == "a field name in quotes is expected at byte 8");
  CHECK(fault_of(R"({"a" 1})") == "\":\" is expected at byte 6");
  CHECK(fault_of(R"({"a":tru})") == "\"true\" is expected at byte 9");
  CHECK(fault_of("[1 2]") == "\",\" or \"]\" is expected at byte 4");
  CHECK(fault_of(R"({"a":1 "b":2})") == "\",\" or \"}\" is expected at byte 8");
  CHECK(fault_of("{} x") == "more behind the value at byte 4");
  CHECK(fault_of("[01]") == "\",\" or \"]\" is expected at byte 3");
  CHECK(fault_of("[+1]") == "a value is expected at byte 2");
  CHECK(fault_of("[.5]") == "a value is expected at byte 2");
  CHECK(fault_of("[1.]") == "a digit is expected at byte 4");
  CHECK(fault_of("[1e]") == "a digit is expected at byte 4");
  CHECK(fault_of("[-]") == "a digit is expected at byte 3");
  CHECK(fault_of("['a']") == "a value is expected at byte 2");
  CHECK(fault_of("[NaN]") == "a value is expected at byte 2");
  CHECK(fault_of("{a:1}") == "a field name in quotes is expected at byte 2");
  CHECK(fault_of("\"a\tb\"") == "a control character in a string at byte 3");
  CHECK(fault_of(R"("\x41")") == "an unknown escape at byte 3");
  CHECK(fault_of(R"("\u12g4")") == "four hexadecimal digits are expected at byte 6");
  CHECK(fault_of("]") == "a value is expected at byte 1");
  CHECK(fault_of("[}") == "a value is expected at byte 2");
  CHECK(fault_of("{\"a\":1]") == "\",\" or \"}\" is expected at byte 7");
}

TEST_CASE("json_syntax: a text cut at any byte is refused") {
  const std::string text = R"({"id":"\u00e9","n":[-1.5e3,true,null],"o":{"x":"y"}})";
  REQUIRE(check_json(text));
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    INFO(bytes);
    CHECK(fault_of(text.substr(0, bytes)).find("the text ends too early") == 0);
  }
  CHECK(fault_of("   ").find("the text ends too early") == 0);
}

TEST_CASE("json_syntax: escapes become the characters they stand for") {
  CHECK(check_json(R"("\u00e9\u20AC")").value() == "\"\xc3\xa9\xe2\x82\xac\"");
  CHECK(check_json(R"("\ud83d\ude00")").value() == "\"\xf0\x9f\x98\x80\"");
  CHECK(check_json(R"("\u0041\u0022\u005c")").value() == R"("A\"\\")");
  CHECK(check_json(R"("\u0000")").value() == R"("\u0000")");
  CHECK(check_json(R"({"\u0061":1})").value() == R"({"a":1})");
}

TEST_CASE("json_syntax: half a surrogate pair is refused where it begins") {
  CHECK(fault_of(R"("a\ud83d")") == "half a surrogate pair at byte 3");
  CHECK(fault_of(R"("\ude00")") == "half a surrogate pair at byte 2");
  CHECK(fault_of(R"("\ud83dx")") == "half a surrogate pair at byte 2");
  CHECK(fault_of(R"("\ud83d\n")") == "half a surrogate pair at byte 2");
  CHECK(fault_of(R"("\ud83d\u0041")") == "half a surrogate pair at byte 2");
  CHECK(fault_of(R"("\ud83d\ud83d")") == "half a surrogate pair at byte 2");
}

TEST_CASE("json_syntax: what is not UTF-8 is refused with its byte") {
  CHECK(fault_of("{\"a\":\"\xff\"}") == "not UTF-8 at byte 7");
  CHECK(fault_of("\"\xed\xa0\x80\"") == "not UTF-8 at byte 2");
  CHECK(fault_of("\xef\xbb\xbf{}") == "a value is expected at byte 1"); // a byte order mark
}

TEST_CASE("json_syntax: nesting is limited to 64, and 10,000 levels are an error, not a crash") {
  CHECK(check_json(nested(64, '[', ']')));
  CHECK(fault_of(nested(65, '[', ']')) == "nested deeper than 64 at byte 65");
  CHECK(fault_of(nested(10'000, '[', ']')) == "nested deeper than 64 at byte 65");
  CHECK(fault_of(std::string(10'000'000, '[')) == "nested deeper than 64 at byte 65");
  std::string objects;
  for (int i = 0; i < 10'000; ++i)
    objects += "{\"a\":";
  CHECK(fault_of(objects) == "nested deeper than 64 at byte 321");
  std::string wide = "[";
  for (int i = 0; i < 100'000; ++i)
    wide += "[],";
  CHECK(check_json(wide + "0]")); // width is no depth
}
