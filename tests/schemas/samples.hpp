#pragma once
// What several tests of schemas/ make.

#include "lesson.capnp.h"
#include "schemas/typed_event.hpp"
#include <string_view>

namespace edupulse::test {

inline const event_id sample_event{from_halves(0x01890a5d'ac96'7001, 0x8000'0000'0000'002a)};
inline const node_id sample_node = make_node_id(0x1111'2222'3333'4444, 0x5555'6666'7777'8888);
constexpr std::int64_t sample_time = 1'764'000'000'125; // 2025-11-24T16:00:00.125Z

inline envelope_header sample_header() {
  envelope_header header;
  header.id = sample_event;
  header.publisher = sample_node;
  header.occurred_at_ms = sample_time;
  return header;
}

inline void fill_lesson(LessonPublished::Builder lesson) {
  lesson.setLessonId("lesson-42");
  lesson.setTeacherId("teacher-7");
  lesson.setTitle("Quantum Mechanics 101");
  lesson.setBody("Nobody understands it.");
}

inline envelope_ptr sample_lesson(const envelope_header& header = sample_header()) {
  return to_event<LessonPublished>(fill_lesson, header).value();
}

} // namespace edupulse::test
