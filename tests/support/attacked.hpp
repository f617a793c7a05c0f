#pragma once
// A node that is attacked, and an honest member next to it.

#include "lesson.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/eventually.hpp"
#include <atomic>
#include <edupulse/node.hpp>
#include <optional>

namespace edupulse::test {

inline node_options attacked_options(std::string name, std::vector<std::string> join = {}) {
  node_options how;
  how.name = std::move(name);
  how.cluster.name = "school";
  how.cluster.listen = "127.0.0.1:0";
  how.cluster.join = std::move(join);
  how.cluster.profile = network_profile::local;
  how.log = std::getenv("EDUPULSE_LOG") != nullptr ? log_level::debug : log_level::off;
  return how;
}

class attacked {
public:
  attacked() : attacked(attacked_options("a"), attacked_options("b")) {}
  attacked(node_options how_a, node_options how_b)
      : a(node::start(std::move(how_a)).value()), b(start_at(a, std::move(how_b))) {
    REQUIRE(
        b.subscribe<LessonPublished>("indexer", [this](auto, const event_info&) { ++handled; }));
    REQUIRE(a.ready("lesson.published", 1, std::chrono::seconds(20)));
  }
  static node start_at(const node& other, node_options how) {
    how.cluster.join = {other.address()};
    return node::start(std::move(how)).value();
  }
  /// The honest member gets what is published, still.
  void serves() {
    const auto before = handled.load();
    auto given =
        a.publish<LessonPublished>([](auto lesson) { lesson.setLessonId("l1"); }, {.track = true});
    REQUIRE(given);
    const auto status = given->wait(std::chrono::seconds(20));
    REQUIRE(status);
    CHECK(status->handled >= 1);
    CHECK(handled > before);
  }
  std::optional<member> seen(const std::string& name) const {
    for (const auto& one : a.members())
      if (one.name == name)
        return one;
    return std::nullopt;
  }

  std::atomic<int> handled{0};
  node a;
  node b;
};

} // namespace edupulse::test
