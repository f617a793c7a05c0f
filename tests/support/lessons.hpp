#pragma once
// Short ways to say what tests say often.

#include "lesson.capnp.h"
#include "tests/support/catch.hpp"
#include <cstdlib>
#include <edupulse/testing.hpp>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace edupulse::test {

using namespace std::chrono_literals;

/// How often a random test repeats: `n`, and fifty times that in a soak.
inline int rounds(int n) { return std::getenv("EDUPULSE_SOAK") != nullptr ? 50 * n : n; }

/// A node that logs nothing.
inline node start_quiet(node_options options = {}) {
  options.name = "test";
  options.log = log_level::off;
  return node::start(std::move(options)).value();
}

/// Publishes one lesson.published; the key is the lesson's id (empty: no key).
template <class Bus> auto publish_lesson(Bus& to, const std::string& id,
                                         const std::string& title = "t",
                                         publish_options options = {}) {
  return to.template publish<LessonPublished>(
      [&](auto lesson) {
        lesson.setLessonId(id);
        lesson.setTitle(title);
      },
      options);
}

/// What handlers saw, in order: "id:title". Any thread.
class journal {
public:
  void note(std::string what) {
    std::lock_guard guard(mutex_);
    seen_.push_back(std::move(what));
  }
  std::vector<std::string> all() const {
    std::lock_guard guard(mutex_);
    return seen_;
  }
  /// Titles of one lesson, in the order seen.
  std::vector<std::string> of(const std::string& id) const {
    std::vector<std::string> titles;
    for (const auto& one : all())
      if (one.starts_with(id + ":"))
        titles.push_back(one.substr(id.size() + 1));
    return titles;
  }
  std::size_t size() const { return all().size(); }

private:
  mutable std::mutex mutex_;
  std::vector<std::string> seen_;
};

inline std::string text_of(LessonPublished::Reader lesson) {
  return std::string(lesson.getLessonId().cStr()) + ":" + lesson.getTitle().cStr();
}

/// Notes what it is given and succeeds.
inline auto note_in(journal& where) {
  return [&where](LessonPublished::Reader lesson) { where.note(text_of(lesson)); };
}

/// Every line of the ledger balances, and the runtime's own invariants hold.
template <class Bus> void check_books(const Bus& bus) {
  const auto book = bus.ledger();
  INFO(to_string(book));
  CHECK(book.balances());
}

} // namespace edupulse::test
