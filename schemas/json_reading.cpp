#include "schemas/json.hpp"

#include "schemas/codec.hpp"
#include "schemas/json_fields.hpp"
#include "schemas/json_names.hpp"
#include "schemas/json_payload.hpp"
#include "schemas/json_syntax.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>

namespace edupulse {

namespace {

using json = capnp::JsonValue;
using namespace json_fields;

unsigned size_of(std::string_view text) noexcept { return static_cast<unsigned>(text.size()); }

void set_text(capnp::Text::Builder to, std::string_view text) {
  std::ranges::copy(text, to.begin());
}

class reader {
public:
  reader(const type_lookup& types, const json_options& options)
      : types_(types), options_(options) {}

  expected<json_event> read(std::string_view text) {
    if (auto ok = check_size(text.size()); !ok)
      return tl::unexpected(std::move(ok.error()));
    root_ = text_.initRoot<json>();
    auto ok = parse_text(text, root_);
    if (ok && !root_.isObject())
      ok = fail(errc::bad_json,
                "an object is expected, not " + std::string(kind_of_json(root_.asReader())));
    if (ok)
      ok = options_.form == json_form::cloudevents ? cloud() : flat();
    if (!ok)
      return tl::unexpected(std::move(ok.error()));
    return std::move(event_);
  }

  /// An attribute named `data` is none: the payload is.
  expected<json_event> read(const cloud_attributes& attributes,
                            std::optional<std::string_view> data) {
    std::size_t size = data ? data->size() : 0;
    for (const auto& [name, value] : attributes)
      size += name.size() + value.size();
    if (auto ok = check_size(size); !ok)
      return tl::unexpected(std::move(ok.error()));
    root_ = text_.initRoot<json>();
    auto members = root_.initObject(static_cast<unsigned>(attributes.size() + 1));
    auto member = members.begin();
    for (const auto& [name, value] : attributes) {
      if (!is_utf8(name) || !is_utf8(value))
        return fail(errc::bad_json, "attribute " + quote(name) + " is not UTF-8");
      set_text(member->initName(size_of(name)), name);
      set_text(member->getValue().initString(size_of(value)), value);
      if (name == "data")
        member->getValue().setNull();
      ++member;
    }
    member->setName("data");
    auto ok = data ? parse_text(*data, member->getValue()) : expected<void>();
    if (ok)
      ok = cloud();
    if (!ok)
      return tl::unexpected(std::move(ok.error()));
    return std::move(event_);
  }

private:
  expected<void> check_size(std::size_t bytes) const {
    if (bytes <= options_.max_bytes)
      return {};
    return fail(errc::bad_json, "a text of " + std::to_string(bytes) + " bytes: the limit is " +
                                    std::to_string(options_.max_bytes));
  }

  static expected<void> parse_text(std::string_view text, json::Builder to) {
    const auto checked = check_json(text);
    return checked ? parse_json(*checked, to) : tl::unexpected(checked.error());
  }

  // -- CloudEvents ------------------------------------------------------------------------------

  expected<void> cloud() {
    const auto version = required_text(root_, "specversion");
    if (!version)
      return tl::unexpected(version.error());
    if (*version != "1.0")
      return wrong("specversion", quote(*version) + " is not 1.0");
    auto ok = named("type");
    if (ok)
      ok = identity("id", "time");
    if (ok)
      ok = source();
    if (ok)
      ok = take_text("subject", event_.subject);
    if (ok)
      ok = take_text("partitionkey", event_.key);
    if (ok)
      ok = content_type();
    if (ok)
      ok = attributes();
    if (!ok)
      return ok;
    if (auto data = find(root_, "data"))
      return payload(*data, "data", {});
    return no_payload();
  }

  /// A publisher only when it is one of ours: any URI may stand here.
  expected<void> source() {
    const auto text = required_text(root_, "source");
    if (!text)
      return tl::unexpected(text.error());
    if (text->starts_with(json_names::urn))
      if (const auto uuid = parse_uuid(std::string_view(*text).substr(json_names::urn.size())))
        event_.publisher = node_id{*uuid};
    return {};
  }

  expected<void> content_type() {
    const auto text = text_of(root_, "datacontenttype");
    if (!text)
      return tl::unexpected(text.error());
    if (find(root_, "data_base64"))
      return wrong("data_base64", "the data must be JSON");
    const auto type = std::string_view(*text).substr(0, text->find(';'));
    if (type.empty() || type == "application/json" || type.ends_with("+json"))
      return {};
    return wrong("datacontenttype", quote(*text) + " is not application/json");
  }

  expected<void> attributes() {
    for (auto member : root_.getObject()) {
      const auto name = view(member.getName().asReader());
      if (json_names::contains(json_names::cloud, name) || member.getValue().isNull())
        continue;
      auto text = scalar_text(member.getValue().asReader());
      if (text)
        event_.meta.emplace_back(json_names::meta_of(name), std::move(*text));
      else if (auto ok = unknown(name); !ok)
        return ok;
    }
    return packed_meta();
  }

  expected<void> packed_meta() {
    const auto text = text_of(root_, "edupulsemeta");
    if (!text || text->empty())
      return text ? expected<void>{} : tl::unexpected(text.error());
    const auto checked = check_json(*text);
    if (!checked)
      return wrong("edupulsemeta", checked.error().text);
    capnp::MallocMessageBuilder message;
    auto object = message.initRoot<json>();
    if (auto ok = parse_json(*checked, object); !ok)
      return ok;
    return metadata(object, "edupulsemeta");
  }

  // -- flattened --------------------------------------------------------------------------------

  expected<void> flat() {
    auto ok = named("name");
    if (ok)
      ok = json_names::refuse_clash(*event_.type);
    if (ok)
      ok = identity("id", "occurred_at");
    if (!ok)
      return ok;
    if (auto meta = find(root_, "meta")) {
      ok = metadata(*meta, "meta");
      if (ok)
        ok = take_own_meta();
      if (!ok)
        return ok;
    }
    return payload(root_, "", json_names::flat);
  }

  /// `$subject`, `$key` and `$publisher` are not the application's metadata.
  expected<void> take_own_meta() {
    std::string publisher;
    const std::pair<std::string_view, std::string*> own[] = {
        {"$subject", &event_.subject}, {"$key", &event_.key}, {"$publisher", &publisher}};
    for (const auto& [name, to] : own)
      std::erase_if(event_.meta, [&, name = name, to = to](auto& entry) {
        if (entry.first != name)
          return false;
        *to = std::move(entry.second);
        return true;
      });
    auto id = id_of<node_id>("$publisher", publisher);
    if (!id)
      return tl::unexpected(std::move(id.error()));
    event_.publisher = *id;
    return {};
  }

  // -- both ---------------------------------------------------------------------------------------

  expected<void> named(std::string_view field) {
    const auto name = required_text(root_, field);
    if (!name)
      return tl::unexpected(name.error());
    event_.type = types_(*name);
    if (event_.type == nullptr)
      return fail(errc::unknown_schema, "no event of the name " + quote(*name) + " is known here");
    return {};
  }

  expected<void> identity(std::string_view id_field, std::string_view time_field) {
    const auto text = text_of(root_, id_field);
    if (!text)
      return tl::unexpected(text.error());
    auto id = id_of<event_id>(id_field, *text);
    if (!id && options_.foreign && options_.form == json_form::cloudevents)
      id = foreign_id(*text);
    if (!id)
      return tl::unexpected(std::move(id.error()));
    auto time = time_of(root_, time_field);
    if (!time)
      return tl::unexpected(std::move(time.error()));
    event_.id = *id;
    event_.occurred_at_ms = *time;
    return {};
  }

  expected<std::optional<event_id>> foreign_id(const std::string& text) {
    const auto source = required_text(root_, "source");
    if (!source)
      return tl::unexpected(source.error());
    event_.meta.emplace_back("originalid", text);
    event_.meta.emplace_back("originalsource", *source);
    return std::optional(make_foreign_event_id(*source, text));
  }

  expected<void> take_text(std::string_view field, std::string& to) {
    auto text = text_of(root_, field);
    if (!text)
      return tl::unexpected(std::move(text.error()));
    to = std::move(*text);
    return {};
  }

  expected<void> metadata(json::Builder object, std::string_view field) {
    if (!object.isObject())
      return wrong_kind(field, "an object", object.asReader());
    for (auto member : object.getObject()) {
      const auto name = view(member.getName().asReader());
      if (member.getValue().isNull())
        continue;
      auto text = scalar_text(member.getValue().asReader());
      if (text)
        event_.meta.emplace_back(name, std::move(*text));
      else if (auto ok = unknown(std::string(field) + "." + std::string(name)); !ok)
        return ok;
    }
    return {};
  }

  expected<void> unknown(std::string_view field) {
    ++event_.unknown_fields;
    if (options_.strict)
      return wrong(field, "it has no meaning here");
    return {};
  }

  expected<void> payload(json::Builder object, std::string place,
                         std::span<const std::string_view> not_payload) {
    payload_checker checker(options_.strict, not_payload);
    auto unknown = checker.check(object, event_.type->schema(), std::move(place));
    if (!unknown)
      return tl::unexpected(std::move(unknown.error()));
    event_.unknown_fields += *unknown;
    event_.message = std::make_unique<capnp::MallocMessageBuilder>();
    return convert_payload(object.asReader(),
                           event_.message->initRoot<capnp::DynamicStruct>(event_.type->schema()));
  }

  expected<void> no_payload() {
    event_.message = std::make_unique<capnp::MallocMessageBuilder>();
    event_.message->initRoot<capnp::DynamicStruct>(event_.type->schema());
    return {};
  }

  const type_lookup& types_;
  const json_options& options_;
  capnp::MallocMessageBuilder text_;
  json::Builder root_ = nullptr;
  json_event event_;
};

} // namespace

capnp::DynamicStruct::Reader json_event::payload() const {
  return message->getRoot<capnp::DynamicStruct>(type->schema()).asReader();
}

expected<json_event> from_cloud_attributes(const cloud_attributes& attributes,
                                           std::optional<std::string_view> data,
                                           const type_lookup& types, const json_options& options) {
  return reader(types, options).read(attributes, data);
}

expected<json_event> from_json(std::string_view text, const type_lookup& types,
                               const json_options& options) {
  return reader(types, options).read(text);
}

expected<envelope_ptr> to_envelope(const json_event& from, const envelope_header& absent,
                                   std::size_t max_bytes) {
  envelope_writer writer(*from.type);
  writer.payload().set(from.message->getRoot<capnp::AnyPointer>().asReader());
  std::string key = from.key;
  if (key.empty() && from.type->key_of != nullptr)
    key = from.type->key_of(from.message->getRoot<capnp::AnyPointer>().asReader());
  std::vector<std::pair<std::string_view, std::string_view>> meta(from.meta.begin(),
                                                                  from.meta.end());
  envelope_header header;
  header.id = from.id.value_or(absent.id);
  header.publisher = from.publisher.value_or(absent.publisher);
  header.occurred_at_ms = from.occurred_at_ms.value_or(absent.occurred_at_ms);
  header.subject = from.subject;
  header.key = key;
  header.meta = meta;
  return writer.finish(header, max_bytes);
}

} // namespace edupulse
