#pragma once

#include <filesystem>
#include <span>

namespace edupulse::fuzz {

void put(const std::filesystem::path& file, std::span<const char> bytes);
/// Of the targets in operator_targets.cpp.
void write_operator_corpus(const std::filesystem::path& to);
/// Of inbound_target.cpp.
void write_inbound_corpus(const std::filesystem::path& to);

} // namespace edupulse::fuzz
