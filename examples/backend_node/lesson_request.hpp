#pragma once
// From the body of a request to an event.

#include "schemas/json.hpp"
#include <edupulse/event.hpp>
#include <string_view>

namespace edupulse::backend {

/// A lesson as JSON: `{"lessonId":"42","title":"...","body":"...","teacherId":"..."}`. With
/// `"name":"lesson.updated"` or `"lesson.withdrawn"` it is that event. Errors: `bad_json`,
/// `unknown_schema`; each a sentence for the one who sent it.
expected<json_event> read_lesson(std::string_view body);

} // namespace edupulse::backend
