#include "runtime/control/verbs.hpp"

#include "schemas/json_syntax.hpp"
#include <capnp/dynamic.h>

namespace edupulse::control {

namespace {

/// The flattened form of an event: its name, and its fields beside it.
expected<std::string> whole_event(std::string_view name, std::string_view fields) {
  auto object = check_json(fields);
  if (!object)
    return object;
  const auto open = object->find_first_not_of(" \t\r\n");
  if ((*object)[open] != '{')
    return fail(errc::bad_json, "the fields of an event are a JSON object: {\"name\": value, ...}");
  const auto next = object->find_first_not_of(" \t\r\n", open + 1);
  const bool empty = (*object)[next] == '}';
  return "{\"name\":\"" + std::string(name) + (empty ? "\"" : "\",") + object->substr(open + 1);
}

} // namespace

expected<void> publish(const bench& on, Publish::Reader what, Answer::Builder to) {
  const auto name = view(what.getName());
  const auto* const type = on.types ? on.types(name) : nullptr; // so it is a name, and no JSON
  if (type == nullptr)
    return fail(errc::unknown_schema,
                "no plugin of this node takes or publishes an event " + quote(name));
  const auto text = whole_event(name, view(what.getFields()));
  if (!text)
    return tl::unexpected(text.error());
  const auto event = from_json(*text, on.types);
  if (!event)
    return tl::unexpected(event.error());
  publish_options how;
  how.subject = view(what.getSubject());
  how.key = view(what.getKey());
  const auto sent = on.at.publish(
      *type,
      [&](capnp::AnyPointer::Builder payload) {
        payload.setAs<capnp::DynamicStruct>(event->payload());
      },
      how);
  if (!sent)
    return tl::unexpected(sent.error());
  auto done = to.initPublished();
  done.setId(to_string(sent->id()));
  done.setUnknownFields(static_cast<std::uint32_t>(event->unknown_fields));
  return {};
}

} // namespace edupulse::control
