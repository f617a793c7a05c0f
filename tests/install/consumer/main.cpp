#include "lesson.capnp.h"
#include <edupulse/node.hpp>
#include <iostream>

int main() {
  auto node = edupulse::node::start({.name = "demo"}).value();
  auto printer =
      node.subscribe<LessonPublished>("printer", [](auto lesson, const edupulse::event_info&) {
        std::cout << lesson.getTitle().cStr() << std::endl;
      });
  auto receipt = node.publish<LessonPublished>(
      [](auto lesson) { lesson.setTitle("Quantum mechanics"); }, {.track = true});
  return receipt.value().wait(std::chrono::seconds(30)).value().handled == 1 ? 0 : 1;
}
