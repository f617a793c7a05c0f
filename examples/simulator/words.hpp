#pragma once
// The words of scenarios and command lines.

#include "plan.hpp"
#include <string_view>

namespace edupulse::simulator {

/// Errors: `invalid_option`, with the nearest name.
expected<fault_word> fault_called(std::string_view name);
expected<std::vector<std::size_t>> nodes_called(const std::vector<std::string>& names);

} // namespace edupulse::simulator
