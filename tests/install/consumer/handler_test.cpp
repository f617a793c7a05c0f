#include "lesson.capnp.h"
#include <edupulse/testing.hpp>

int main() {
  edupulse::testing::bus bus;
  auto counter = bus.subscribe<LessonPublished>("counter", [](auto) {});
  auto receipt = bus.publish<LessonPublished>([](auto lesson) { lesson.setTitle("Light"); });
  return counter && receipt && bus.handled("counter") == 1 ? 0 : 1;
}
