// A plugin that counts lessons and hands its counts over; built in several versions.
//   TALLY_VERSION      "1.0.0"
//   TALLY_THROWS       the constructor of its handler throws
//   TALLY_FORGETS      it has neither snapshot nor restore
//   TALLY_CHOKES       its restore throws
//   TALLY_CONCURRENCY  how many
//   TALLY_ALSO         it has a second handler
//   TALLY_HASTY        it gives an event up at once, and its scope too
// 1.0.0 cannot digest what is poison, and keeps what may be done later.

#include "lesson.capnp.h"
#include "tally.capnp.h"
#include <cstdint>
#include <edupulse/plugin.hpp>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

#ifdef TALLY_HASTY
constexpr bool cannot_digest = true;
constexpr edupulse::retry_options retry{.max_crashes = 1};
constexpr std::uint32_t intensity = 1;
#else
constexpr bool cannot_digest = std::string_view(TALLY_VERSION) == "1.0.0";
constexpr edupulse::retry_options retry{};
constexpr std::uint32_t intensity = 10;
#endif

class tally {
public:
  explicit tally(const edupulse::plugin_settings& settings) : turns_(settings.integer("turns")) {
#ifdef TALLY_THROWS
    throw std::runtime_error("no database");
#endif
  }

  edupulse::outcome handle(LessonPublished::Reader lesson, edupulse::context& ctx) {
    for (volatile std::int64_t i = 0; i < turns_;)
      i = i + 1;
    const std::string id = lesson.getLessonId();
    if (lesson.getBody() == "poison" && cannot_digest)
      throw std::runtime_error("cannot digest this");
    if (lesson.getBody() == "later" && std::string_view(TALLY_VERSION) == "1.0.0") {
      kept_.push_back(ctx.defer());
      return edupulse::outcome::deferred();
    }
    const auto count = ++counts_[id];
    static_cast<void>(ctx.publish<Counted>([&](auto event) {
      event.setLessonId(id);
      event.setCount(count);
      event.setVersion(TALLY_VERSION);
      event.setNumber(lesson.getTitle());
    }));
    return edupulse::outcome::ok();
  }

#ifndef TALLY_FORGETS
  std::string snapshot() const {
    std::ostringstream text;
    for (const auto& [id, count] : counts_)
      text << id << ' ' << count << '\n';
    return text.str();
  }
  void restore(std::string_view from) {
#ifdef TALLY_CHOKES
    throw std::runtime_error("cannot read this");
#endif
    std::istringstream text{std::string(from)};
    std::string id;
    std::uint64_t count = 0;
    while (text >> id >> count)
      counts_[id] = count;
  }
#endif

private:
  const std::int64_t turns_;
  std::map<std::string, std::uint64_t> counts_;
  std::vector<edupulse::deferral> kept_;
};

#ifndef TALLY_CONCURRENCY
#define TALLY_CONCURRENCY 1
#endif

constexpr edupulse::plugin description() {
  edupulse::plugin is("tally", TALLY_VERSION);
  is.about("Counts lessons; \"quoted\"")
      .scope({.strategy = edupulse::restart_strategy::one_for_all, .intensity = intensity})
      .setting("turns", 0, "of a loop, for each event")
      .setting("label", "none", "a text")
      .setting("rate", 0.5, "a number")
      .setting("loud", false, "a flag")
      .publishes<Counted>()
      .handler<LessonPublished, tally>("counter",
                                       {.concurrency = TALLY_CONCURRENCY, .retry = retry});
#ifdef TALLY_ALSO
  is.handler<LessonWithdrawn>("also", [](auto) {});
#endif
  return is;
}

} // namespace

EDUPULSE_PLUGIN(description());
