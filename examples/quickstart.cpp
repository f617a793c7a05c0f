// One event, one handler, and a receipt that says when it is done.

#include "lesson.capnp.h"
#include <edupulse/node.hpp>
#include <iostream>

int main() {
  using namespace std::chrono_literals;
  auto node = edupulse::node::start({.name = "api-1"}).value();

  node.subscribe<LessonPublished>("search-indexer", [](auto lesson, const edupulse::event_info&) {
        std::cout << "indexing " << lesson.getTitle().cStr() << '\n';
      }).value();

  auto receipt = node.publish<LessonPublished>(
      [](auto lesson) {
        lesson.setLessonId("42");
        lesson.setTitle("Quantum Mechanics 101");
      },
      {.track = true});

  if (auto done = receipt.and_then([](const auto& r) { return r.wait(5s); }); !done)
    std::cerr << to_string(done.error()) << '\n';
}
