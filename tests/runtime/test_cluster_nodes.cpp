// Whole nodes with real sockets on loopback, in one process.

#include "lesson.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/eventually.hpp"
#include <atomic>
#include <edupulse/node.hpp>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

node_options options_of(std::string name, std::vector<std::string> join = {}) {
  node_options how;
  how.name = std::move(name);
  how.cluster.listen = "127.0.0.1:0";
  how.cluster.join = std::move(join);
  how.cluster.profile = network_profile::local;
  if (std::getenv("EDUPULSE_LOG"))
    how.log = log_level::debug;
  return how;
}

std::size_t alive(const node& who) {
  std::size_t count = 0;
  for (const auto& one : who.members())
    count += one.state == member_state::alive && (one.self || one.connected);
  return count;
}

} // namespace

TEST_CASE("an event published on one node is handled on the other") {
  std::atomic<int> handled{0};
  auto a = node::start(options_of("a")).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  eventually([&] { return alive(a) == 2 && alive(b) == 2; });
  REQUIRE(b.subscribe<LessonPublished>("indexer", [&](auto lesson, const event_info&) {
    CHECK(std::string(lesson.getTitle().cStr()) == "Quantum");
    ++handled;
  }));
  REQUIRE(a.ready("lesson.published", 1, 5s));
  auto given = a.publish<LessonPublished>(
      [](auto lesson) {
        lesson.setLessonId("l1");
        lesson.setTitle("Quantum");
      },
      {.track = true});
  REQUIRE(given);
  const auto status = given->wait(5s);
  REQUIRE(status);
  CHECK(status->handled == 1);
  CHECK(handled == 1);
}
