#include "runtime/cli/sample_events.hpp"

#include "schemas/envelope_writer.hpp"
#include <capnp/dynamic.h>
#include <string>

namespace edupulse::cli {

namespace {

constexpr int deepest = 4;
constexpr std::size_t keys = 3;

class filler {
public:
  explicit filler(std::size_t number) : number_(number) {}

  void fill(capnp::DynamicStruct::Builder what, int depth, std::string_view key_field) {
    const auto schema = what.getSchema();
    for (const auto field : schema.getNonUnionFields())
      set(what, field, depth, std::string_view(field.getProto().getName().cStr()) == key_field);
    const auto members = schema.getUnionFields();
    if (members.size() > 0)
      set(what, members[0], depth, false);
  }

private:
  void set(capnp::DynamicStruct::Builder in, capnp::StructSchema::Field field, int depth,
           bool is_key) {
    const std::size_t number = is_key ? number_ % keys : number_;
    const auto type = field.getType();
    switch (type.which()) {
    case capnp::schema::Type::TEXT:
      in.set(field, (field.getProto().getName().cStr() + ("-" + std::to_string(number))).c_str());
      break;
    case capnp::schema::Type::ENUM:
      in.set(field,
             capnp::DynamicEnum(type.asEnum(), static_cast<std::uint16_t>(
                                                   number % type.asEnum().getEnumerants().size())));
      break;
    case capnp::schema::Type::STRUCT:
      if (depth < deepest)
        fill(in.init(field).as<capnp::DynamicStruct>(), depth + 1, {});
      break;
    case capnp::schema::Type::BOOL:
      in.set(field, number % 2 == 1);
      break;
    case capnp::schema::Type::INT8:
    case capnp::schema::Type::INT16:
    case capnp::schema::Type::INT32:
    case capnp::schema::Type::INT64:
    case capnp::schema::Type::UINT8:
    case capnp::schema::Type::UINT16:
    case capnp::schema::Type::UINT32:
    case capnp::schema::Type::UINT64:
    case capnp::schema::Type::FLOAT32:
    case capnp::schema::Type::FLOAT64:
      in.set(field, number % 100);
      break;
    default: // lists, data and pointers to anything may be empty
      break;
    }
  }

  const std::size_t number_;
};

} // namespace

expected<std::vector<envelope_ptr>> sample_events(const event_type& type, std::size_t count) {
  std::vector<envelope_ptr> events;
  for (std::size_t i = 1; i <= count; ++i) {
    envelope_writer writer(type);
    filler(i).fill(writer.payload().initAs<capnp::DynamicStruct>(type.schema()), 0, type.key_field);
    const auto key =
        type.key_of == nullptr ? std::string() : type.key_of(writer.payload().asReader());
    envelope_header header;
    header.id = event_id{from_halves(i, 0x7000000000000000)};
    header.publisher = make_node_id(1, 1);
    header.key = key;
    auto made = writer.finish(header);
    if (!made)
      return tl::unexpected(made.error());
    events.push_back(std::move(*made));
  }
  return events;
}

} // namespace edupulse::cli
