#pragma once
// The scenarios that ship, as text.

#include <span>
#include <string_view>

namespace edupulse::simulator {

struct scenario_file {
  std::string_view name;
  std::string_view text;
};
extern const std::span<const scenario_file> scenario_files;

} // namespace edupulse::simulator
