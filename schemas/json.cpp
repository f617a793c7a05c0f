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

/// The metadata that have no attribute of their own, as the text of a JSON object; or nothing.
std::string write_rest(const envelope& what) {
  capnp::MallocMessageBuilder message;
  object_writer rest(message.getOrphanage());
  for (std::size_t i = 0; i < what.meta_count(); ++i)
    if (const auto [name, value] = what.meta_at(i); json_names::attribute_of(name).empty())
      rest.text(name, value);
  if (rest.empty())
    return {};
  auto object = message.initRoot<json>();
  rest.finish(object);
  return encode_raw(object.asReader());
}

cloud_attributes attributes_of(const envelope& what, std::string time, std::string content_type) {
  cloud_attributes all;
  all.emplace_back("specversion", "1.0");
  all.emplace_back("id", to_string(what.id()));
  all.emplace_back("source", std::string(json_names::urn) + to_string(what.publisher()));
  all.emplace_back("type", what.name());
  if (!what.subject().empty())
    all.emplace_back("subject", what.subject());
  all.emplace_back("time", std::move(time));
  all.emplace_back("datacontenttype", std::move(content_type));
  if (!what.key().empty())
    all.emplace_back("partitionkey", what.key());
  for (std::size_t i = 0; i < what.meta_count(); ++i) {
    const auto [name, value] = what.meta_at(i);
    if (const auto attribute = json_names::attribute_of(name); !attribute.empty())
      all.emplace_back(attribute, value);
  }
  if (auto rest = write_rest(what); !rest.empty())
    all.emplace_back("edupulsemeta", std::move(rest));
  return all;
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
    for (const auto& [name, value] : attributes_of(what, time, "application/json"))
      out.text(name, value);
    out.value("data", std::move(payload));
  } else {
    const bool extra_key = key_is_extra(what, type, reader);
    if (auto ok = write_flat(out, memory, what, time, extra_key, std::move(payload)); !ok)
      return tl::unexpected(std::move(ok.error()));
  }
  auto root = message.initRoot<json>();
  out.finish(root);
  return encode_raw(root.asReader());
}

/// What describes the payload of `what`: `type` where it is given.
expected<const event_type*> described_by(const envelope& what, const event_type* type) {
  type = type != nullptr ? type : what.type();
  if (type == nullptr)
    return fail(errc::unknown_schema,
                "the schema of event " + quote(what.name()) + " is needed to write it as JSON");
  if (type->name != what.name() || type->schema_id != what.schema_id())
    return fail(errc::wrong_type, "the event is " + quote(what.name()) + ", and " +
                                      quote(type->name) + " was given to write it as JSON");
  return type;
}

expected<std::string> time_of(const envelope& what) {
  if (auto time = to_rfc3339(what.occurred_at_ms()))
    return std::move(*time);
  return fail(errc::bad_json, "the time of the event is outside the years 0 to 9999");
}

error not_utf8(const envelope& what) {
  return {errc::bad_json, "event " + to_string(what.id()) + " has text that is not UTF-8"};
}

} // namespace

expected<std::string> to_json(const envelope& what, json_form form, const event_type* type) {
  const auto described = described_by(what, type);
  if (!described)
    return tl::unexpected(described.error());
  if (form == json_form::flattened)
    if (auto ok = json_names::refuse_clash(**described); !ok)
      return tl::unexpected(std::move(ok.error()));
  const auto time = time_of(what);
  if (!time)
    return time;

  expected<std::string> text;
  if (auto ok = catching(errc::bad_json, [&] { text = write(what, form, **described, *time); });
      !ok)
    return tl::unexpected(std::move(ok.error()));
  if (text && !is_utf8(*text))
    return tl::unexpected(not_utf8(what));
  return text;
}

expected<cloud_attributes> to_cloud_attributes(const envelope& what, std::string content_type) {
  auto time = time_of(what);
  if (!time)
    return tl::unexpected(std::move(time.error()));
  auto all = attributes_of(what, std::move(*time), std::move(content_type));
  if (!std::ranges::all_of(all, [](const auto& one) { return is_utf8(one.second); }))
    return tl::unexpected(not_utf8(what));
  return all;
}

expected<std::string> payload_to_json(const envelope& what, const event_type* type) {
  const auto described = described_by(what, type);
  if (!described)
    return tl::unexpected(described.error());
  expected<std::string> text;
  auto ok = catching(errc::bad_json, [&] {
    payload_reader reader(what);
    text = write_payload_json(reader.as<capnp::DynamicStruct>((*described)->schema()));
  });
  if (!ok)
    return tl::unexpected(std::move(ok.error()));
  return text;
}

} // namespace edupulse
