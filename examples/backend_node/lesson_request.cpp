#include "lesson_request.hpp"
#include "json_text.hpp"
#include "lesson.capnp.h"
#include <capnp/dynamic.h>

namespace edupulse::backend {

namespace {

const event_type* type_named(std::string_view name) {
  for (const auto* type :
       {&event_traits<LessonPublished>::type(), &event_traits<LessonUpdated>::type(),
        &event_traits<LessonWithdrawn>::type()})
    if (type->name == name)
      return type;
  return nullptr;
}

/// The body with the event's name in it, which most senders leave away.
expected<std::string> with_name(std::string_view body) {
  const auto parsed = search::json_document::parse(body);
  if (!parsed)
    return tl::unexpected(parsed.error());
  const auto root = parsed->root();
  if (!root.is_object())
    return fail(errc::bad_json, "a lesson is a JSON object, such as "
                                R"({"lessonId":"42","title":"Quantum Mechanics 101"})");
  const auto fields = root.members();
  for (const auto& [name, value] : fields)
    if (name == "name")
      return std::string(body);
  std::string named(body);
  named.insert(named.find('{') + 1,
               std::string(R"("name":"lesson.published")") + (fields.empty() ? "" : ","));
  return named;
}

} // namespace

expected<json_event> read_lesson(std::string_view body) {
  const auto text = with_name(body);
  if (!text)
    return tl::unexpected(text.error());
  json_options how;
  how.strict = true; // a field with a typing error is told, not ignored
  auto event = from_json(*text, type_named, how);
  if (!event)
    return event;
  const auto lesson = event->payload();
  for (const char* field : {"lessonId", "title"})
    if (const auto known = lesson.getSchema().findFieldByName(field); known != nullptr)
      if (lesson.get(field).as<capnp::Text>().size() == 0)
        return fail(errc::bad_json,
                    std::string("the field ") + field + " is missing or empty; a lesson needs it");
  return event;
}

} // namespace edupulse::backend
