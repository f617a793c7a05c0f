// JsonCodec converts between JSON and Cap'n Proto; what it does not do is done around it. It says
// that a value is of the wrong kind but not which, silently takes the last of two union members,
// reads a 64-bit integer that was written as a number through a double, and counts nothing. So the
// parsed value is walked along the schema first.

#include "schemas/json_payload.hpp"

#include "schemas/codec.hpp"
#include "schemas/json_fields.hpp"
#include "schemas/json_syntax.hpp"
#include "schemas/json_writer.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>
#include <capnp/message.h>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace edupulse {

namespace {

using json = capnp::JsonValue;
using kind = capnp::schema::Type;

using json_fields::view;

/// The range of an integer type; as a double it is exact up to 53 bits, which is all that is asked.
struct integer_range {
  double low;
  double high;
  bool wide; // does not fit into the 53 bits of a JSON number
  bool is_signed;
};

integer_range range_of(capnp::Type type) noexcept {
  switch (type.which()) {
  case kind::INT8:
    return {-128, 127, false, true};
  case kind::INT16:
    return {-32768, 32767, false, true};
  case kind::INT32:
    return {-2147483648.0, 2147483647.0, false, true};
  case kind::UINT8:
    return {0, 255, false, false};
  case kind::UINT16:
    return {0, 65535, false, false};
  case kind::UINT32:
    return {0, 4294967295.0, false, false};
  case kind::UINT64:
    return {0, 9007199254740992.0, true, false};
  default:
    return {-9007199254740992.0, 9007199254740992.0, true, true};
  }
}

template <class Integer> std::optional<Integer> parse_whole(std::string_view text) noexcept {
  Integer value{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

bool string_fits(std::string_view text, const integer_range& range) noexcept {
  if (range.is_signed) {
    const auto value = parse_whole<std::int64_t>(text);
    return value && (range.wide || (static_cast<double>(*value) >= range.low &&
                                    static_cast<double>(*value) <= range.high));
  }
  const auto value = parse_whole<std::uint64_t>(text);
  return value && (range.wide || static_cast<double>(*value) <= range.high);
}

} // namespace

std::string_view kind_of_json(capnp::JsonValue::Reader what) noexcept {
  switch (what.which()) {
  case json::NULL_:
    return "null";
  case json::BOOLEAN:
    return "a boolean";
  case json::NUMBER:
    return "a number";
  case json::STRING:
    return "a string";
  case json::ARRAY:
    return "a list";
  case json::OBJECT:
    return "an object";
  default:
    return "something else";
  }
}

// -- payload_checker -----------------------------------------------------------------------

bool payload_checker::wrong(std::string what) {
  fault_ = (place_.empty() ? std::string("the event") : "field " + quote(place_, 128)) + ": " +
           std::move(what);
  return false;
}

bool payload_checker::expect(bool ok, std::string_view wanted, value found) {
  return ok || wrong(std::string(wanted) + " is expected, not " +
                     std::string(kind_of_json(found.asReader())));
}

expected<std::size_t> payload_checker::check(value object, capnp::StructSchema schema,
                                             std::string place) {
  place_ = std::move(place);
  if (!check_struct(object, schema))
    return fail(errc::bad_json, std::move(fault_));
  return unknown_;
}

bool payload_checker::check_struct(value object, capnp::StructSchema schema) {
  if (!expect(object.isObject(), "an object", object))
    return false;
  const std::size_t place_size = place_.size();
  std::string_view chosen; // of the struct's union
  for (auto member : object.getObject()) {
    const auto name = view(member.getName().asReader());
    if (depth_ == 0 && std::ranges::find(not_payload_, name) != not_payload_.end())
      continue;
    place_.append(place_size == 0 ? "" : ".").append(name.substr(0, 64));
    ++depth_;
    if (!check_member(member, schema, chosen))
      return false;
    --depth_;
    place_.resize(place_size);
  }
  return true;
}

bool payload_checker::check_member(capnp::JsonValue::Field::Builder member,
                                   capnp::StructSchema schema, std::string_view& chosen) {
  KJ_IF_MAYBE (field, schema.findFieldByName(member.getName().asReader())) {
    if (member.getValue().isNull() && !field->getType().isVoid()) {
      member.setName(""); // absent, to JsonCodec
      return true;
    }
    if (field->getProto().getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT) {
      if (!chosen.empty())
        return wrong("only one of it and " + quote(chosen) + " can be given");
      chosen = view(member.getName().asReader());
    }
    return check_value(member.getValue(), field->getType());
  }
  ++unknown_;
  return !strict_ || wrong("the schema has no such field");
}

bool payload_checker::check_value(value what, capnp::Type type) {
  switch (type.which()) {
  case kind::VOID:
    return expect(what.isNull(), "null", what);
  case kind::BOOL:
    return expect(what.isBoolean(), "a boolean", what);
  case kind::FLOAT32:
  case kind::FLOAT64:
    return check_float(what);
  case kind::TEXT:
    return expect(what.isString(), "a string", what);
  case kind::DATA:
    return check_data(what);
  case kind::LIST:
    return check_list(what, type.asList().getElementType());
  case kind::ENUM:
    return check_enum(what, type.asEnum());
  case kind::STRUCT:
    return check_struct(what, type.asStruct());
  case kind::INTERFACE:
  case kind::ANY_POINTER:
    return wrong("a field of this type cannot be given in JSON");
  default:
    return check_integer(what, type);
  }
}

bool payload_checker::check_list(value what, capnp::Type element) {
  if (!expect(what.isArray(), "a list", what))
    return false;
  const std::size_t place_size = place_.size();
  std::size_t index = 0;
  for (auto item : what.getArray()) {
    place_.append("[").append(std::to_string(index++)).append("]");
    if (!check_value(item, element))
      return false;
    place_.resize(place_size);
  }
  return true;
}

bool payload_checker::check_integer(value what, capnp::Type type) {
  const integer_range range = range_of(type);
  if (what.isString())
    return string_fits(view(what.getString().asReader()), range) ||
           wrong(quote(view(what.getString().asReader())) + " is no integer that fits");
  if (!expect(what.isNumber(), "an integer", what))
    return false;
  const double number = what.getNumber();
  if (std::trunc(number) != number)
    return wrong("an integer is expected, not a fraction");
  if (number < range.low || number > range.high)
    return wrong(range.wide ? "an integer beyond 53 bits must be written as a string"
                            : "the number does not fit into the field");
  return true;
}

bool payload_checker::check_float(value what) {
  if (what.isString()) {
    const auto text = view(what.getString().asReader());
    return text == "NaN" || text == "Infinity" || text == "-Infinity" ||
           wrong(quote(text) + " is not a number");
  }
  return expect(what.isNumber(), "a number", what) &&
         (std::isfinite(what.getNumber()) || wrong("the number is too large"));
}

bool payload_checker::check_enum(value what, capnp::EnumSchema schema) {
  if (!expect(what.isString(), "the name of an enumerant", what))
    return false;
  KJ_IF_MAYBE (found, schema.findEnumerantByName(what.getString().asReader())) {
    (void)found;
    return true;
  }
  return wrong(quote(view(what.getString().asReader())) + " is none of the values it can have");
}

bool payload_checker::check_data(value what) {
  if (!expect(what.isArray(), "a list of bytes", what))
    return false;
  for (auto item : what.getArray())
    if (!item.isNumber() || item.getNumber() < 0 || item.getNumber() > 255 ||
        std::trunc(item.getNumber()) != item.getNumber())
      return wrong("a list of numbers from 0 to 255 is expected");
  return true;
}

// -- conversion ------------------------------------------------------------------------------

expected<void> parse_json(std::string_view text, capnp::JsonValue::Builder to) {
  capnp::JsonCodec codec;
  codec.setMaxNestingDepth(max_json_nesting + 1);
  return catching(errc::bad_json,
                  [&] { codec.decodeRaw(kj::arrayPtr(text.data(), text.size()), to); });
}

expected<void> convert_payload(capnp::JsonValue::Reader object,
                               capnp::DynamicStruct::Builder payload) {
  capnp::JsonCodec codec;
  return catching(errc::bad_json, [&] { codec.decode(object, payload); });
}

expected<std::size_t> read_payload_json(std::string_view text,
                                        capnp::DynamicStruct::Builder payload, bool strict) {
  auto checked = check_json(text);
  if (!checked)
    return tl::unexpected(std::move(checked.error()));
  capnp::MallocMessageBuilder message;
  auto object = message.initRoot<capnp::JsonValue>();
  if (auto ok = parse_json(*checked, object); !ok)
    return tl::unexpected(std::move(ok.error()));
  auto unknown = payload_checker(strict).check(object, payload.getSchema(), "");
  if (!unknown)
    return unknown;
  if (auto ok = convert_payload(object.asReader(), payload); !ok)
    return tl::unexpected(std::move(ok.error()));
  return unknown;
}

expected<std::string> write_payload_json(capnp::DynamicStruct::Reader payload) {
  std::string text;
  auto written = catching(errc::bad_json, [&] {
    json_writer out;
    out.object(payload);
    text = out.take();
  });
  if (!written)
    return tl::unexpected(std::move(written.error()));
  if (!is_utf8(text))
    return fail(errc::bad_json, "the payload has text that is not UTF-8");
  return text;
}

} // namespace edupulse
