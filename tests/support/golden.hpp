#pragma once
// Golden conversations: a script is played on a bus in virtual time, and all that its router was
// told and decided is compared, line by line, with a file that people can read.
//
//     * what the script does, and how much time has passed
//     = what a handler does
//     < what the router is told
//     > what it decides
//
// Events are called e1, e2 ... in the order of publishing (p1, p2 ... when a handler publishes
// them), in place of their ids. The ids are the same in every run, but nobody keeps two of them
// apart.

#include "tests/support/golden_file.hpp"
#include "tests/support/lessons.hpp"
#include <functional>

namespace edupulse::test {

/// A bus, and the record of all that happens on it.
class conversation {
public:
  using answer = std::function<outcome(LessonPublished::Reader lesson, context& ctx)>;

  testing::bus bus;

  /// The whole record so far.
  text_lines lines() {
    take_trace();
    auto all = lines_;
    auto names = names_;
    for (const auto& event : bus.published_by_handlers())
      names.emplace_back(to_string(event->id()),
                         "p" + std::to_string(names.size() - names_.size() + 1));
    for (auto& line : all)
      for (const auto& [id, name] : names)
        for (auto at = line.find(id); at != std::string::npos; at = line.find(id))
          line.replace(at, id.size(), name);
    return all;
  }

  // -- doing, and writing it down -------------------------------------------------------
  void say(const std::string& what) { note("* " + what); }
  /// Its calls and answers are written down. Without `says` it says ok.
  void subscribe(const std::string& name, answer says = {}, subscription_options options = {}) {
    say("subscribe " + name + (options.scope.empty() ? "" : " in scope " + options.scope) +
        (options.group.empty() ? "" : " in group " + options.group));
    auto handle = [this, name, says](LessonPublished::Reader lesson, context& ctx) {
      return call(name, lesson, ctx, says);
    };
    REQUIRE(bus.subscribe<LessonPublished>(name, std::move(handle), std::move(options)));
  }
  /// Tracked, so that the end of each event is a line.
  expected<receipt> publish(const std::string& key) {
    const auto name = "e" + std::to_string(++tried_);
    say("publish " + name + (key.empty() ? ", without a key" : ", of key " + key));
    auto sent = publish_lesson(bus, key, name, {.track = true});
    if (sent)
      names_.emplace_back(to_string(sent->id()), name);
    else
      say("publish says " + to_string(sent.error()));
    return sent;
  }
  void pass(std::chrono::milliseconds time) {
    passed_ += time;
    say("time passes, to " + std::to_string(passed_.count()) + " ms");
    bus.advance(time);
  }
  /// Lessons p1, p2 ... of those keys, published by a handler in one call: unlike others they come
  /// to the router together, and to each subscription as one batch. They are not tracked.
  void publish_together(const std::vector<std::string>& keys) {
    say("subscribe importer to students, and publish one");
    auto publish_all = [this, keys](StudentEnrolled::Reader, context& ctx) {
      for (std::size_t i = 0; i < keys.size(); ++i)
        CHECK(ctx.publish<LessonPublished>([&](auto lesson) {
          lesson.setLessonId(keys[i]);
          lesson.setTitle("p" + std::to_string(i + 1));
        }));
      note("= importer publishes p1 to p" + std::to_string(keys.size()) + ": ok");
    };
    REQUIRE(bus.subscribe<StudentEnrolled>("importer", publish_all));
    REQUIRE(bus.publish<StudentEnrolled>([](auto) {}));
  }

private:
  void note(const std::string& what) {
    take_trace();
    lines_.push_back(what);
  }
  void take_trace() {
    for (auto& line : bus.take_trace())
      lines_.push_back(std::move(line));
  }
  outcome call(const std::string& name, LessonPublished::Reader lesson, context& ctx,
               const answer& says) {
    auto begin = "= " + name + " handles " + lesson.getTitle().cStr();
    if (ctx.attempt() > 1)
      begin += ", attempt " + std::to_string(ctx.attempt());
    if (ctx.gap() > 0)
      begin += ", having missed " + std::to_string(ctx.gap());
    try {
      auto said = says ? says(lesson, ctx) : outcome::ok();
      note(begin + ": " + std::string(to_string(said.what())));
      return said;
    } catch (...) {
      note(begin + ": throws");
      throw;
    }
  }

  text_lines lines_;
  std::vector<std::pair<std::string, std::string>> names_; ///< id, e1 ...
  std::size_t tried_ = 0;                                  ///< to publish
  std::chrono::milliseconds passed_{};
};

} // namespace edupulse::test
