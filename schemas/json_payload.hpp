#pragma once
// Payloads as JSON objects, by their schema: field names are those of the schema, 64-bit integers
// are strings (JavaScript's numbers cannot hold them), enums are the names of their enumerants,
// Data is a list of numbers, NaN and the infinities are strings. An absent field, or one that is
// null, keeps its default.

#include "schemas/error.hpp"
#include <capnp/compat/json.h>
#include <capnp/dynamic.h>
#include <capnp/schema.h>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace edupulse {

/// Reads `json`, a whole JSON text that must be an object, into `payload`. Returns how many fields
/// the schema does not know; with `strict` the first of them is an error. Errors: `bad_json`,
/// naming the byte or the field. `payload` may be half filled then.
expected<std::size_t> read_payload_json(std::string_view json,
                                        capnp::DynamicStruct::Builder payload, bool strict = false);

/// The payload as a JSON object. Errors: `bad_json`, when it cannot be followed, holds text that is
/// not UTF-8, or has fields that JSON cannot say (capabilities, AnyPointer).
expected<std::string> write_payload_json(capnp::DynamicStruct::Reader payload);

// -- for json.cpp -------------------------------------------------------------------------

/// What `payload_checker` finds before JsonCodec converts: it names places, JsonCodec does not.
class payload_checker {
public:
  /// `not_payload`: members of the outermost object that are something else.
  explicit payload_checker(bool strict, std::span<const std::string_view> not_payload = {}) noexcept
      : strict_(strict), not_payload_(not_payload) {}

  /// Checks that `object` can become a struct of `schema`. Fields that are null are renamed to
  /// nothing, so that JsonCodec passes over them. `place` is how errors call the object: "" or
  /// "data".
  expected<std::size_t> check(capnp::JsonValue::Builder object, capnp::StructSchema schema,
                              std::string place);

private:
  using value = capnp::JsonValue::Builder;

  bool check_struct(value object, capnp::StructSchema schema);
  bool check_member(capnp::JsonValue::Field::Builder member, capnp::StructSchema schema,
                    std::string_view& chosen);
  bool check_value(value what, capnp::Type type);
  bool check_list(value what, capnp::Type element);
  bool check_integer(value what, capnp::Type type);
  bool check_float(value what);
  bool check_enum(value what, capnp::EnumSchema schema);
  bool check_data(value what);
  bool expect(bool ok, std::string_view wanted, value found);
  bool wrong(std::string what);

  bool strict_;
  std::span<const std::string_view> not_payload_;
  std::size_t depth_ = 0;
  std::string place_;
  std::string fault_;
  std::size_t unknown_ = 0;
};

/// Parses a checked text. Errors: `bad_json`.
expected<void> parse_json(std::string_view json, capnp::JsonValue::Builder to);

/// Converts an object that `payload_checker` has passed.
expected<void> convert_payload(capnp::JsonValue::Reader object,
                               capnp::DynamicStruct::Builder payload);

/// What kind of value it is, for people: "a number".
std::string_view kind_of_json(capnp::JsonValue::Reader what) noexcept;

} // namespace edupulse
