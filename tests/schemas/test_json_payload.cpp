#include "schemas/json_payload.hpp"

#include "kinds.capnp.h"
#include "tests/support/catch.hpp"
#include <capnp/message.h>
#include <cmath>
#include <limits>

using namespace edupulse;
using namespace kinds::inner;

namespace {

/// A struct read from JSON.
template <class T = Everything> struct read_from {
  capnp::MallocMessageBuilder message;
  typename T::Builder value = message.initRoot<T>();
  expected<std::size_t> unknown;

  explicit read_from(std::string_view json, bool strict = false)
      : unknown(read_payload_json(json, value, strict)) {}
};

std::string fault_of(std::string_view json, bool strict = false) {
  read_from<> result(json, strict);
  INFO(json);
  REQUIRE_FALSE(result.unknown);
  CHECK(result.unknown.error().code == errc::bad_json);
  return result.unknown.error().text;
}

std::string number_field(std::string_view field, std::string_view value) {
  return "{\"" + std::string(field) + "\":" + std::string(value) + "}";
}

} // namespace

TEST_CASE("json_payload: fields of every type are written and read back") {
  capnp::MallocMessageBuilder message;
  auto all = message.initRoot<Everything>();
  all.setFlag(true);
  all.setSmall(-128);
  all.setLarge(std::numeric_limits<std::int64_t>::min());
  all.setLargest(std::numeric_limits<std::uint64_t>::max());
  all.setHalf(0.25F);
  all.setFull(std::numeric_limits<double>::infinity());
  all.setText("caf\xc3\xa9 \xf0\x9f\x98\x80 \"\\\x01\x1f\x7f\n");
  const std::uint8_t bytes[] = {0, 127, 255};
  all.setData(kj::arrayPtr(bytes, 3));
  all.setColor(Color::BLUE);
  auto numbers = all.initNumbers(2);
  numbers.set(0, -1);
  numbers.set(1, 2147483647);
  all.initParts(2)[1].setName("second");
  all.initPart().setCount(9);
  all.setRight(65535);
  all.getPlace().setRow(3);
  all.initMatrix(2).init(1, 2).set(1, -7);

  const std::string json = write_payload_json(all.asReader()).value();
  read_from<> back(json, true);
  REQUIRE(back.unknown);
  CHECK(*back.unknown == 0);
  INFO(json);
  CHECK(write_payload_json(back.value.asReader()).value() == json);
  CHECK(back.value.getLarge() == std::numeric_limits<std::int64_t>::min());
  CHECK(back.value.getLargest() == std::numeric_limits<std::uint64_t>::max());
  CHECK(std::isinf(back.value.getFull()));
  CHECK(back.value.getText() == all.getText());
  CHECK(back.value.getData()[2] == 255);
  CHECK(back.value.getColor() == Color::BLUE);
  CHECK(back.value.getParts()[0].getCount() == 5); // the default
  CHECK(back.value.isRight());
  CHECK(back.value.getPlace().getRow() == 3);
  CHECK(back.value.getMatrix()[1][1] == -7);
}

TEST_CASE("json_payload: escapes reach the fields as the characters they stand for") {
  read_from<> result(R"({"text":"caf\u00e9 \ud83d\ude00 \u001f\u0000.","left":"\u20ac"})");
  REQUIRE(result.unknown);
  const auto text = result.value.getText();
  CHECK(std::string(text.begin(), text.size()) ==
        std::string("caf\xc3\xa9 \xf0\x9f\x98\x80 \x1f\0.", 14));
  CHECK(result.value.getLeft() == "\xe2\x82\xac");
}

TEST_CASE("json_payload: absent fields and null keep the default") {
  read_from<> result(R"({"text":null,"small":null,"part":null,"parts":[],"color":null})");
  REQUIRE(result.unknown);
  CHECK(*result.unknown == 0);
  CHECK_FALSE(result.value.hasText());
  CHECK_FALSE(result.value.hasPart());
  CHECK(result.value.getSmall() == 0);
}

TEST_CASE("json_payload: unknown fields are counted, wherever they are, and refused when strict") {
  const std::string json = R"({"new":1,"text":"t","part":{"name":"p","newer":{"x":[1]}},
                               "parts":[{"newest":null}]})";
  read_from<> result(json);
  REQUIRE(result.unknown);
  CHECK(*result.unknown == 3);
  CHECK(result.value.getText() == "t");
  CHECK(result.value.getPart().getName() == "p");
  CHECK(fault_of(json, true) == "field \"new\": the schema has no such field");
  CHECK(fault_of(R"({"part":{"newer":1}})", true) ==
        "field \"part.newer\": the schema has no such field");
}

TEST_CASE("json_payload: a value of the wrong type is refused with the field's place") {
  CHECK(fault_of("[]") == "the event: an object is expected, not a list");
  CHECK(fault_of("null") == "the event: an object is expected, not null");
  CHECK(fault_of(R"({"text":7})") == "field \"text\": a string is expected, not a number");
  CHECK(fault_of(R"({"flag":"true"})") == "field \"flag\": a boolean is expected, not a string");
  CHECK(fault_of(R"({"small":[]})") == "field \"small\": an integer is expected, not a list");
  CHECK(fault_of(R"({"half":true})") == "field \"half\": a number is expected, not a boolean");
  CHECK(fault_of(R"({"part":"p"})") == "field \"part\": an object is expected, not a string");
  CHECK(fault_of(R"({"parts":{}})") == "field \"parts\": a list is expected, not an object");
  CHECK(fault_of(R"({"parts":[{},{"count":"x"}]})") ==
        "field \"parts[1].count\": \"x\" is no integer that fits");
  CHECK(fault_of(R"({"parts":[null]})") == "field \"parts[0]\": an object is expected, not null");
  CHECK(fault_of(R"({"matrix":[[1],[2,"x3"]]})").find("field \"matrix[1][1]\"") == 0);
  CHECK(fault_of(R"({"place":{"row":300}})").find("field \"place.row\"") == 0);
  CHECK(fault_of(R"({"color":"mauve"})") ==
        "field \"color\": \"mauve\" is none of the values it can have");
  CHECK(fault_of(R"({"color":1})").find("the name of an enumerant is expected") !=
        std::string::npos);
  CHECK(fault_of(R"({"data":[256]})").find("from 0 to 255") != std::string::npos);
  CHECK(fault_of(R"({"data":"AAE="})").find("a list of bytes") != std::string::npos);
  CHECK(fault_of(R"({"nothing":1})").find("null is expected") != std::string::npos);
  CHECK(fault_of(R"({"full":1e999})").find("too large") != std::string::npos);
  CHECK(fault_of(R"({"full":"many"})").find("is not a number") != std::string::npos);
}

TEST_CASE("json_payload: integers are taken within their range, as numbers or strings") {
  struct row {
    const char* field;
    const char* value;
    bool good;
  };
  const row table[] = {
      {"small", "127", true},
      {"small", "128", false},
      {"small", "-129", false},
      {"small", "1.5", false},
      {"small", "1e2", true},
      {"small", "\"-128\"", true},
      {"small", "\"128\"", false},
      {"small", "\"\"", false},
      {"small", "\" 1\"", false},
      {"natural", "255", true},
      {"natural", "-1", false},
      {"natural", "\"-1\"", false},
      {"natural", "\"256\"", false},
      {"large", "9007199254740992", true},
      {"large", "9007199254740994", false}, // a double may not be what was meant
      {"large", "\"9223372036854775807\"", true},
      {"large", "\"9223372036854775808\"", false},
      {"largest", "\"18446744073709551615\"", true},
      {"largest", "\"18446744073709551616\"", false},
      {"largest", "18446744073709551615", false},
  };
  for (const auto& [field, value, good] : table) {
    INFO(field << " " << value);
    CHECK(read_from<>(number_field(field, value)).unknown.has_value() == good);
  }
}

TEST_CASE("json_payload: only one member of a union can be given") {
  CHECK(fault_of(R"({"left":"l","right":1})") ==
        "field \"right\": only one of it and \"left\" can be given");
  CHECK(read_from<>(R"({"right":1})").value.isRight());
  CHECK(read_from<>(R"({"left":null,"right":1})").value.isRight());
}

TEST_CASE("json_payload: fields that JSON cannot say are refused") {
  read_from<Anything> result(R"({"what":{}})");
  REQUIRE_FALSE(result.unknown);
  CHECK(result.unknown.error().text.find("field \"what\"") == 0);
  capnp::MallocMessageBuilder message;
  message.initRoot<Anything>().getWhat().initAs<TextKey>();
  const auto written = write_payload_json(message.getRoot<Anything>().asReader());
  REQUIRE_FALSE(written);
  CHECK(written.error().code == errc::bad_json);
}

TEST_CASE("json_payload: a text that is not UTF-8 is not written") {
  capnp::MallocMessageBuilder message;
  message.initRoot<Everything>().setText("\xff");
  CHECK(write_payload_json(message.getRoot<Everything>().asReader()).error().code ==
        errc::bad_json);
}

TEST_CASE("json_payload: recursion in the schema ends where nesting does") {
  std::string json;
  for (int i = 0; i < 64; ++i)
    json += "{\"child\":";
  json += "null" + std::string(64, '}');
  read_from<Tree> deep(json);
  CHECK(deep.unknown);
  read_from<Tree> deeper("{\"child\":" + json + "}");
  CHECK(deeper.unknown.error().text.find("nested deeper") == 0);
}

TEST_CASE("json_payload: a hostile field name does not get into the message as it is") {
  const std::string fault = fault_of(R"({"a\u001b[31m\n":1})", true);
  CHECK(fault.find('\x1b') == std::string::npos);
  CHECK(fault.find("\\x1b[31m\\x0a") != std::string::npos);
  CHECK(fault_of("{\"" + std::string(100'000, 'n') + "\":1}", true).size() < 300);
}
