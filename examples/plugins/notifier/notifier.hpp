#pragma once
// Followers of a teacher are told of new lessons.

#include "lesson.capnp.h"
#include "notice.capnp.h"
#include <edupulse/plugin.hpp>
#include <string>

class notifier {
public:
  explicit notifier(const edupulse::plugin_settings& settings);
  edupulse::outcome handle(LessonPublished::Reader lesson, edupulse::context& ctx) const;

private:
  std::string greeting_;
};
