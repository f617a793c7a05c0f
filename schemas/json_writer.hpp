#pragma once
// JSON texts as they are written, member after member, without a tree of values in between: that
// tree, which JsonCodec makes, was two thirds of what a mirror cost. The texts are RapidJSON's;
// what becomes of a Cap'n Proto value stands in json_payload.hpp.

#include <capnp/dynamic.h>
#include <capnp/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>

namespace edupulse {

/// Members and values in turns, each object and list ended by whoever began it. What is not UTF-8
/// is passed on.
class json_writer {
public:
  void begin_object() { out_.StartObject(); }
  void end_object() { out_.EndObject(); }
  void name(std::string_view what) { out_.Key(what.data(), size_of(what)); }
  void text(std::string_view what) { out_.String(what.data(), size_of(what)); }
  void member(std::string_view its_name, std::string_view its_text) {
    name(its_name);
    text(its_text);
  }
  /// Throws what Cap'n Proto throws: on what cannot be followed, and on what JSON cannot say.
  void object(capnp::DynamicStruct::Reader what);
  /// Its members, into an object that was begun.
  void members(capnp::DynamicStruct::Reader what);

  std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

private:
  static rapidjson::SizeType size_of(std::string_view text) noexcept {
    return static_cast<rapidjson::SizeType>(text.size());
  }
  void value(const capnp::DynamicValue::Reader& what, capnp::Type type);
  void list(capnp::DynamicList::Reader what, capnp::Type element);
  void data(capnp::Data::Reader what);
  void number(double what);
  void enumerant(capnp::DynamicEnum what);

  rapidjson::StringBuffer buffer_{nullptr, 1024};
  rapidjson::Writer<rapidjson::StringBuffer> out_{buffer_};
};

} // namespace edupulse
