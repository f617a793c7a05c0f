// One event, one handler, and a receipt that says when it is done.

#include "lesson.capnp.h"
#include <edupulse/node.hpp>
#include <iostream>

int main() {
  using namespace std::chrono_literals;
  auto node = edupulse::node::start({.name = "api-1"}).value();

  auto index = [](LessonPublished::Reader lesson, const edupulse::event_info&) {
    std::cout << "indexing " << lesson.getTitle().cStr() << '\n';
  };
  node.subscribe<LessonPublished>("search-indexer", index).value();

  auto fill = [](LessonPublished::Builder lesson) {
    lesson.setLessonId("42");
    lesson.setTitle("Quantum Mechanics 101");
  };
  auto receipt = node.publish<LessonPublished>(fill, {.track = true}).value();

  if (auto done = receipt.wait(5s); !done)
    std::cerr << to_string(done.error()) << '\n';
}
