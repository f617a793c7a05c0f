#pragma once
// A node that is attacked, and an honest member next to it.

#include "lesson.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/eventually.hpp"
#include <atomic>
#include <edupulse/node.hpp>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>

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

/// What a node has logged, since it was last forgotten.
class said_log {
public:
  void listen_to(node_options& how) {
    const bool watched = std::getenv("EDUPULSE_LOG") != nullptr;
    if (how.log == log_level::off)
      how.log = log_level::warning;
    how.log_sink = [this, watched](log_level, std::string_view text) {
      std::lock_guard guard(mutex_);
      if (watched)
        std::cerr << text << '\n';
      text_ += text;
      text_ += '\n';
    };
  }
  bool has(std::string_view part) const {
    std::lock_guard guard(mutex_);
    return text_.find(part) != text_.npos;
  }
  std::string text() const {
    std::lock_guard guard(mutex_);
    return text_;
  }
  void forget() {
    std::lock_guard guard(mutex_);
    text_.clear();
  }

private:
  mutable std::mutex mutex_;
  std::string text_;
};

class attacked {
public:
  attacked() : attacked(attacked_options("a"), attacked_options("b")) {}
  attacked(node_options how_a, node_options how_b)
      : a(start_heard(std::move(how_a))), b(start_at(a, std::move(how_b))) {
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
  std::uint64_t count(std::string_view name) const {
    for (const auto& [counted, value] : a.counters())
      if (counted == name)
        return value;
    FAIL("nothing is counted as " << name);
    return 0;
  }
  /// Attacks, and once more if that line of the log was left out: a node says twenty in a second.
  template <class F> void until_said(std::string_view part, F attack) {
    INFO("expected in the log: " << part);
    said.forget();
    for (int tries = 0; !said.has(part); ++tries) {
      INFO("it says: " << said.text());
      REQUIRE(tries < 1000);
      attack();
    }
  }
  std::optional<member> seen(const std::string& name) const {
    for (const auto& one : a.members())
      if (one.name == name)
        return one;
    return std::nullopt;
  }

  std::atomic<int> handled{0};
  said_log said; ///< by a
  node a;
  node b;

private:
  node start_heard(node_options how) {
    said.listen_to(how);
    return node::start(std::move(how)).value();
  }
};

} // namespace edupulse::test
