#pragma once
// Counts the students of each lesson.

#include "lesson.capnp.h"
#include "totals.capnp.h"
#include <edupulse/plugin.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>

class enrollment_stats {
public:
  /// A student counts once, however often the event comes.
  edupulse::outcome handle(StudentEnrolled::Reader student, edupulse::context& ctx);

  std::string snapshot() const;
  void restore(std::string_view from);

private:
  std::map<std::string, std::set<std::string>> students_; ///< by lesson
};
