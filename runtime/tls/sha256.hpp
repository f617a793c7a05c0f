#pragma once

#include <string>
#include <string_view>

namespace edupulse {

/// 64 hexadecimal digits, as sha256sum prints them; empty when there was no memory for it.
std::string sha256_of(std::string_view bytes);

} // namespace edupulse
