#include "lesson.capnp.h"

std::string_view name_of_lesson_published() {
  return edupulse::event_traits<LessonPublished>::name;
}
