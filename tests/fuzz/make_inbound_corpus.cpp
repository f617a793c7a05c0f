// Inputs that get far for inbound_target.cpp: each form that a mirror writes, and payloads alone.

#include "lesson.capnp.h"
#include "schemas/typed_event.hpp"
#include "tests/fuzz/make_corpus.hpp"
#include <cstdint>
#include <string>

namespace edupulse::fuzz {

namespace {

envelope_ptr sample() {
  static const std::pair<std::string_view, std::string_view> meta[] = {{"tenant", "north"},
                                                                       {"Odd Name", "a \"b\""}};
  return to_event<LessonPublished>(
             [](auto lesson) {
               lesson.setLessonId("k1");
               lesson.setTitle("Quantum");
             },
             {event_id{make_node_id(7, 8).value},
              make_node_id(5, 6),
              1'600'000'000'123,
              "math",
              {},
              meta})
      .value();
}

/// With the table of a message of one segment.
std::string framed(std::span<const capnp::word> words) {
  const std::uint32_t table[2] = {0, static_cast<std::uint32_t>(words.size())};
  std::string made(reinterpret_cast<const char*>(table), sizeof table);
  return made.append(reinterpret_cast<const char*>(words.data()), words.size_bytes());
}

constexpr const char* structured = R"(content-type: application/cloudevents+json; charset=utf-8

{"specversion": "1.0", "id": "00000000-0000-4007-8000-000000000008", "source": "/others",
 "type": "lesson.published", "subject": "math", "time": "2026-11-24T08:30:00.123Z", "level": 3,
 "partitionkey": "k1", "datacontenttype": "application/json", "edupulsemeta": "{\"X\": \"1\"}",
 "data": {"lessonId": "k1", "title": "\u00e9", "unknown": [1, 2.5e3, null]}}
)";

constexpr const char* attributes = "ce-specversion: 1.0\nCe_id: order 7\nce_source: /others\n"
                                   "cloudEvents:type: lesson.published\nedupulse-via: paris\n";

} // namespace

void write_inbound_corpus(const std::filesystem::path& to) {
  const auto event = sample();
  const std::string capnp = "content-type: application/x-capnproto\n";
  const auto at = to / "inbound";
  put(at / "structured", std::string_view(structured));
  put(at / "binary_json", "content-type: application/json\n" + std::string(attributes) +
                              "\n{\"lessonId\": \"k1\", \"title\": \"Quantum\"}");
  put(at / "binary_capnp", capnp + attributes + "\n" + framed(event->payload_words()));
  put(at / "envelope", capnp + "\n" + framed(event->words()));
  put(at / "flattened",
      std::string_view("\n{\"name\": \"lesson.published\", \"id\": null, "
                       "\"occurred_at\": \"2026-11-24T08:30:00Z\", "
                       "\"meta\": {\"$key\": \"k\", \"tenant\": true}, \"lessonId\": \"k1\"}"));
  put(at / "payload", std::string_view("key: value\n\n{\"lessonId\": \"k1\", \"title\": null}"));
}

} // namespace edupulse::fuzz
