// Prints what mirrors write of some odd events, one JSON document on each line, for
// check_cloudevents.py: {"mode": "structured", "event": DOCUMENT} or
// {"mode": "binary", "headers": {...}, "body": TEXT}.

#include "lesson.capnp.h"
#include "runtime/transports/broker_message.hpp"
#include "schemas/envelope_writer.hpp"
#include <iostream>
#include <nlohmann/json.hpp>

namespace {

using namespace edupulse;

struct odd_event {
  std::string subject;
  std::string key;
  std::int64_t occurred_at_ms;
  std::vector<std::pair<std::string, std::string>> meta;
};

const std::vector<odd_event> table = {
    {"", "", 0, {}},
    {"math", "k", 1'800'000'000'123, {{"tenant", "north"}}},
    {"a.b.c", "\"quoted\" \\ key", 1, {{"correlation-id", "c"}, {"causation-id", "d"}}},
    {"", "k", -1, {{"Upper", "x"}, {"with space", "y"}, {"dash-ed", "z"}}},
    {"", "k", 253'402'300'799'999, {{"id", "mine"}, {"data", "mine"}, {"specversion", "0.3"}}},
    {"", "k", 951'782'400'000, {{"traceparent", "00-1-2-01"}, {"averyveryverylongname1", "v"}}},
    {"", "\xC3\xA9", 5, {{"emoji", "\xF0\x9F\x8E\x93"}, {"line", "a\nb\tc"}, {"empty", ""}}},
};

envelope_ptr envelope_of(const odd_event& from, std::uint64_t n) {
  envelope_writer writer(event_traits<LessonPublished>::type());
  auto lesson = writer.payload().initAs<LessonPublished>();
  lesson.setLessonId("l" + std::to_string(n));
  lesson.setTitle("Quantum \"\\\n");
  std::vector<std::pair<std::string_view, std::string_view>> meta(from.meta.begin(),
                                                                  from.meta.end());
  event_id_source ids(n + 1);
  return writer
      .finish({ids.next(from.occurred_at_ms), make_node_id(n + 1, n + 1), from.occurred_at_ms,
               from.subject, from.key, meta})
      .value();
}

} // namespace

int main() {
  message_options how;
  how.topic = topic_template::parse("{topic}").value();
  for (std::uint64_t n = 0; n < table.size(); ++n) {
    const auto event = envelope_of(table[n], n);
    how.form = message_form::cloudevents;
    const auto whole = to_message(*event, how).value();
    std::cout << "{\"mode\": \"structured\", \"event\": " << whole.body << "}\n";
    how.form = message_form::cloudevents_json;
    const auto parts = to_message(*event, how).value();
    nlohmann::json line = {{"mode", "binary"}, {"body", parts.body}};
    for (const auto& [name, value] : parts.headers)
      line["headers"][name] = value;
    line["headers"]["content-type"] = parts.content_type;
    std::cout << line << '\n';
  }
}
