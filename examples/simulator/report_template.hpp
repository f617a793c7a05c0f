#pragma once
// report_page.html, in pieces: CMake writes the source that has them.

#include <span>
#include <string_view>

namespace edupulse::simulator {

std::span<const std::string_view> report_template();

} // namespace edupulse::simulator
