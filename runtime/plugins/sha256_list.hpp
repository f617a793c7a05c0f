#pragma once
// Which plugins an operator has allowed, by what is in them: a file as sha256sum writes it.

#include "schemas/error.hpp"
#include <filesystem>
#include <string>

namespace edupulse {

/// `list`: a digest on each line, then whatever; empty lines and those that begin with # say
/// nothing. Errors: `refused`, when the digest is not among them, when a line has none, or when
/// others could change the list; `io`.
expected<void> check_allowed(const std::filesystem::path& list, const std::string& sha256);

} // namespace edupulse
