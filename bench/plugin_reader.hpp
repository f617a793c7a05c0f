#pragma once
// The handler that is measured linked in, and as a plugin.

#include "lesson.capnp.h"
#include <cstdint>
#include <edupulse/handler.hpp>
#include <string>
#include <string_view>

namespace bench {

/// Reads two fields and counts; tells of each event when it is told to.
class plugin_reader {
public:
  explicit plugin_reader(bool tells) : tells_(tells) {}
  void handle(LessonPublished::Reader lesson, edupulse::context& ctx) {
    count_ += lesson.getLessonId().size() + lesson.getBody().size();
    if (tells_)
      static_cast<void>(
          ctx.publish<LessonUpdated>([&](auto to) { to.setLessonId(lesson.getLessonId()); }));
  }
  std::string snapshot() const { return std::to_string(count_); }
  void restore(std::string_view from) { count_ = std::stoull(std::string(from)); }

private:
  const bool tells_;
  std::uint64_t count_ = 0;
};

} // namespace bench
