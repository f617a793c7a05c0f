#include "schemas/json.hpp"

#include "schemas/codec.hpp"
#include "schemas/json_names.hpp"
#include "schemas/json_payload.hpp"
#include "schemas/payload_reader.hpp"
#include "schemas/rfc3339.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>

namespace edupulse {

namespace {

using json = capnp::JsonValue;

std::string_view view(capnp::Text::Reader text) noexcept { return {text.begin(), text.size()}; }

/// Collects the members of one object.
class object_writer {
public:
  explicit object_writer(capnp::Orphanage memory) : memory_(memory) {}

  void text(std::string_view name, std::string_view value) {
    auto item = memory_.newOrphan<json>();
    // Not setString: its argument must end with a zero, and a view into a topic does not.
    auto copy = item.get().initString(static_cast<unsigned>(value.size()));
    std::copy(value.begin(), value.end(), copy.begin());
    members_.emplace_back(name, std::move(item));
  }
  void value(std::string_view name, capnp::Orphan<json>&& value) {
    members_.emplace_back(name, std::move(value));
  }
  bool empty() const noexcept { return members_.empty(); }

  void finish(json::Builder to) {
    auto object = to.initObject(static_cast<unsigned>(members_.size()));
    for (unsigned i = 0; i < object.size(); ++i) {
      auto& [name, value] = members_[i];
      object[i].setName({name.c_str(), name.size()});
      object[i].adoptValue(std::move(value));
    }
  }

private:
  capnp::Orphanage memory_;
  std::vector<std::pair<std::string, capnp::Orphan<json>>> members_;
};

std::string encode_raw(json::Reader value) {
  const auto text = capnp::JsonCodec().encodeRaw(value);
  return {text.begin(), text.size()};
}

/// `key` when it is not what the payload itself says.
bool key_is_extra(const envelope& what, const event_type& type, payload_reader& reader) {
  if (what.key().empty())
    return false;
  return type.key_of == nullptr || type.key_of(reader.payload()) != what.key();
}

void write_cloud(object_writer& out, const envelope& what, const std::string& time,
                 capnp::Orphan<json>&& payload) {
  out.text("specversion", "1.0");
  out.text("id", to_string(what.id()));
  out.text("source", std::string(json_names::urn) + to_string(what.publisher()));
  out.text("type", what.name());
  if (!what.subject().empty())
    out.text("subject", what.subject());
  out.text("time", time);
  out.text("datacontenttype", "application/json");
  if (!what.key().empty())
    out.text("partitionkey", what.key());
  capnp::MallocMessageBuilder rest_message;
  object_writer rest(rest_message.getOrphanage());
  for (std::size_t i = 0; i < what.meta_count(); ++i) {
    const auto [name, value] = what.meta_at(i);
    const auto attribute = json_names::attribute_of(name);
    if (attribute.empty())
      rest.text(name, value);
    else
      out.text(attribute, value);
  }
  if (!rest.empty()) {
    auto object = rest_message.initRoot<json>();
    rest.finish(object);
    out.text("edupulsemeta", encode_raw(object.asReader()));
  }
  out.value("data", std::move(payload));
}

expected<void> write_flat(object_writer& out, capnp::Orphanage memory, const envelope& what,
                          const std::string& time, bool extra_key, capnp::Orphan<json>&& payload) {
  out.text("id", to_string(what.id()));
  out.text("name", what.name());
  out.text("occurred_at", time);
  object_writer meta(memory);
  for (std::size_t i = 0; i < what.meta_count(); ++i) {
    const auto [name, value] = what.meta_at(i);
    if (name.starts_with('$'))
      return fail(errc::bad_json, "metadata " + quote(name) +
                                      " cannot be flattened: names with \"$\" are the form's own");
    meta.text(name, value);
  }
  if (!what.subject().empty())
    meta.text("$subject", what.subject());
  if (!what.publisher().value.is_nil())
    meta.text("$publisher", to_string(what.publisher()));
  if (extra_key)
    meta.text("$key", what.key());
  auto meta_value = memory.newOrphan<json>();
  meta.finish(meta_value.get());
  out.value("meta", std::move(meta_value));
  for (auto field : payload.get().getObject())
    out.value(view(field.getName().asReader()), field.disownValue());
  return {};
}

/// Throws what Cap'n Proto throws on a payload that cannot be read.
expected<std::string> write(const envelope& what, json_form form, const event_type& type,
                            const std::string& time) {
  capnp::MallocMessageBuilder message;
  const auto memory = message.getOrphanage();
  object_writer out(memory);
  payload_reader reader(what);
  const auto fields = reader.as<capnp::DynamicStruct>(type.schema());
  auto payload = memory.newOrphan<json>();
  capnp::JsonCodec().encode(fields, type.schema(), payload.get());
  if (form == json_form::cloudevents) {
    write_cloud(out, what, time, std::move(payload));
  } else {
    const bool extra_key = key_is_extra(what, type, reader);
    if (auto ok = write_flat(out, memory, what, time, extra_key, std::move(payload)); !ok)
      return tl::unexpected(std::move(ok.error()));
  }
  auto root = message.initRoot<json>();
  out.finish(root);
  return encode_raw(root.asReader());
}

} // namespace

expected<std::string> to_json(const envelope& what, json_form form, const event_type* type) {
  type = type != nullptr ? type : what.type();
  if (type == nullptr)
    return fail(errc::unknown_schema,
                "the schema of event " + quote(what.name()) + " is needed to write it as JSON");
  if (type->name != what.name() || type->schema_id != what.schema_id())
    return fail(errc::wrong_type, "the event is " + quote(what.name()) + ", and " +
                                      quote(type->name) + " was given to write it as JSON");
  if (form == json_form::flattened)
    if (auto ok = json_names::refuse_clash(*type); !ok)
      return tl::unexpected(std::move(ok.error()));
  const auto time = to_rfc3339(what.occurred_at_ms());
  if (!time)
    return fail(errc::bad_json, "the time of the event is outside the years 0 to 9999");

  expected<std::string> text;
  if (auto ok = catching(errc::bad_json, [&] { text = write(what, form, *type, *time); }); !ok)
    return tl::unexpected(std::move(ok.error()));
  if (text && !is_utf8(*text))
    return fail(errc::bad_json, "event " + to_string(what.id()) + " has text that is not UTF-8");
  return text;
}

} // namespace edupulse
