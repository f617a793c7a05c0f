#include "schemas/json_writer.hpp"

#include "schemas/json_fields.hpp"
#include <charconv>
#include <cmath>
#include <cstdint>
#include <kj/debug.h>
#include <span>

namespace edupulse {

namespace {

using json_fields::view;

/// JavaScript's numbers cannot hold all of them, so they are strings.
bool is_wide(capnp::Type type) noexcept { return type.isInt64() || type.isUInt64(); }

template <class Integer> std::string_view digits_of(Integer what, std::span<char> to) noexcept {
  const auto end = std::to_chars(to.data(), to.data() + to.size(), what).ptr;
  return {to.data(), static_cast<std::size_t>(end - to.data())};
}

} // namespace

void json_writer::object(capnp::DynamicStruct::Reader what) {
  begin_object();
  members(what);
  end_object();
}

/// All scalars, the pointers that are there, and of a union the member that it is.
void json_writer::members(capnp::DynamicStruct::Reader what) {
  for (const auto field : what.getSchema().getFields()) {
    if (!what.has(field)) // of a union: it is another one
      continue;
    name(view(field.getProto().getName()));
    value(what.get(field), field.getType());
  }
}

void json_writer::value(const capnp::DynamicValue::Reader& what, capnp::Type type) {
  char digits[24];
  switch (what.getType()) {
  case capnp::DynamicValue::VOID:
    return static_cast<void>(out_.Null());
  case capnp::DynamicValue::BOOL:
    return static_cast<void>(out_.Bool(what.as<bool>()));
  case capnp::DynamicValue::INT: {
    const auto whole = what.as<std::int64_t>();
    return is_wide(type) ? text(digits_of(whole, digits)) : static_cast<void>(out_.Int64(whole));
  }
  case capnp::DynamicValue::UINT: {
    const auto whole = what.as<std::uint64_t>();
    return is_wide(type) ? text(digits_of(whole, digits)) : static_cast<void>(out_.Uint64(whole));
  }
  case capnp::DynamicValue::FLOAT:
    return number(what.as<double>());
  case capnp::DynamicValue::TEXT:
    return text(view(what.as<capnp::Text>()));
  case capnp::DynamicValue::DATA:
    return data(what.as<capnp::Data>());
  case capnp::DynamicValue::LIST:
    return list(what.as<capnp::DynamicList>(), type.asList().getElementType());
  case capnp::DynamicValue::ENUM:
    return enumerant(what.as<capnp::DynamicEnum>());
  case capnp::DynamicValue::STRUCT:
    return object(what.as<capnp::DynamicStruct>());
  case capnp::DynamicValue::UNKNOWN:
  case capnp::DynamicValue::CAPABILITY:
  case capnp::DynamicValue::ANY_POINTER:
    KJ_FAIL_REQUIRE("the payload has a field that JSON cannot say: a capability, or an AnyPointer");
  }
}

void json_writer::list(capnp::DynamicList::Reader what, capnp::Type element) {
  out_.StartArray();
  for (const auto& one : what)
    value(one, element);
  out_.EndArray();
}

void json_writer::data(capnp::Data::Reader what) {
  out_.StartArray();
  for (const auto byte : what)
    out_.Uint(byte);
  out_.EndArray();
}

void json_writer::number(double what) {
  if (std::isnan(what))
    text("NaN");
  else if (std::isinf(what))
    text(what > 0 ? "Infinity" : "-Infinity");
  else
    out_.Double(what);
}

/// One that the schema here does not know is a number.
void json_writer::enumerant(capnp::DynamicEnum what) {
  KJ_IF_MAYBE (known, what.getEnumerant())
    text(view(known->getProto().getName()));
  else
    out_.Uint(what.getRaw());
}

} // namespace edupulse
