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

#include "tests/support/lessons.hpp"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace edupulse::test {

using text_lines = std::vector<std::string>;

/// Where the two begin to differ, with what stands before it; empty when they do not. `first` is
/// the number of the first line.
inline std::string first_difference(const text_lines& expected, const text_lines& got,
                                    std::size_t first = 1) {
  constexpr std::size_t before = 4;
  constexpr std::size_t after = 4;
  const auto common = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end()).first;
  const auto at = static_cast<std::size_t>(common - expected.begin());
  if (at == expected.size() && at == got.size())
    return {};
  std::ostringstream text;
  text << "line " << first + at << " is the first that differs (-: the file, +: this run)\n";
  for (auto i = at < before ? 0 : at - before; i < at; ++i)
    text << "    " << expected[i] << '\n';
  const auto show = [&](char mark, const text_lines& of) {
    for (auto i = at; i < std::min(of.size(), at + after); ++i)
      text << "  " << mark << ' ' << of[i] << '\n';
    if (at >= of.size())
      text << "  " << mark << " (the end)\n";
  };
  show('-', expected);
  show('+', got);
  return text.str();
}

/// A paragraph of comment that says what is seen, an empty line, and the lines.
class golden_file {
public:
  explicit golden_file(std::filesystem::path at) : at_(std::move(at)) {
    std::ifstream in(at_);
    bool opening = true;
    for (std::string line; std::getline(in, line);) {
      opening = opening && line.starts_with('#');
      (opening ? opening_ : lines_).push_back(line);
    }
    if (!lines_.empty() && lines_.front().empty())
      lines_.erase(lines_.begin());
  }

  bool has_opening() const { return !opening_.empty(); }
  const text_lines& lines() const { return lines_; }
  /// In the file; as `accept` would write it.
  std::size_t number_of_first_line() const { return opening_.size() + 2; }
  /// Makes `lines` what the file says; the opening stays. False when it cannot be written.
  bool accept(const text_lines& lines) const {
    std::ofstream out(at_);
    for (const auto& line : opening_)
      out << line << '\n';
    out << '\n';
    for (const auto& line : lines)
      out << line << '\n';
    return out.flush().good();
  }

private:
  std::filesystem::path at_;
  text_lines opening_;
  text_lines lines_;
};

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
