#pragma once
// A node with plugins, and what its tally counts.

#include "lesson.capnp.h"
#include "tally.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_dir.hpp"
#include <edupulse/plugin_host.hpp>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace edupulse::test {

/// A copy of what was built, where nobody else can write: builds may lie anywhere.
inline std::filesystem::path plugin_path(const std::string& name) {
  static const scratch_dir dir;
  const auto file = dir / ("lib" + name + ".so");
  if (!std::filesystem::exists(file)) {
    std::filesystem::copy_file(std::filesystem::path(PLUGIN_DIR) / file.filename(), file);
    std::filesystem::permissions(file, std::filesystem::perms(0755));
  }
  return file;
}

/// The error's text, for a failed REQUIRE to show; empty when there is none.
template <class T> std::string trouble(const expected<T>& what) {
  return what ? "" : what.error().text;
}

class plugin_node {
public:
  plugin_node()
      : at(node::start({.name = "n1", .log = log_level::off}).value()),
        plugins(plugin_host::open(at, {.probe = PROBE}).value()) {
    REQUIRE(at.subscribe<Counted>("witness", [this](Counted::Reader what) {
      std::lock_guard guard(mutex_);
      counted_.push_back(
          {what.getLessonId(), what.getCount(), what.getVersion(), what.getNumber()});
    }));
  }

  struct counted {
    std::string lesson;
    std::uint64_t count;
    std::string version;
    std::string number;
  };
  std::vector<counted> all() const {
    std::lock_guard guard(mutex_);
    return counted_;
  }
  std::size_t count() const {
    std::lock_guard guard(mutex_);
    return counted_.size();
  }
  void await(std::size_t how_many) const {
    eventually([&] { return count() >= how_many; });
  }
  void publish(const std::string& lesson, int number, const char* body = "") {
    REQUIRE(try_publish(lesson, number, body));
  }
  /// For other threads than the test's, where Catch must not be asked.
  bool try_publish(const std::string& lesson, int number, const char* body = "") {
    const auto given = at.publish<LessonPublished>([&](auto to) {
      to.setLessonId(lesson);
      to.setTitle(std::to_string(number));
      to.setBody(body);
    });
    return given.has_value();
  }

private:
  mutable std::mutex mutex_;
  std::vector<counted> counted_;

public:
  node at;
  plugin_host plugins;
};

} // namespace edupulse::test
