#include "schemas/error.hpp"

namespace edupulse {

std::string_view to_string(errc code) noexcept {
  switch (code) {
  case errc::back_pressure:
    return "back_pressure";
  case errc::stopping:
    return "stopping";
  case errc::too_large:
    return "too_large";
  case errc::malformed:
    return "malformed";
  case errc::wrong_type:
    return "wrong_type";
  case errc::unknown_schema:
    return "unknown_schema";
  case errc::bad_topic:
    return "bad_topic";
  case errc::bad_filter:
    return "bad_filter";
  case errc::duplicate_name:
    return "duplicate_name";
  case errc::invalid_option:
    return "invalid_option";
  case errc::not_found:
    return "not_found";
  case errc::timed_out:
    return "timed_out";
  case errc::not_tracked:
    return "not_tracked";
  case errc::bad_json:
    return "bad_json";
  case errc::io:
    return "io";
  case errc::protocol:
    return "protocol";
  case errc::refused:
    return "refused";
  case errc::fenced:
    return "fenced";
  }
  return "unknown";
}

std::string to_string(const error& what) {
  std::string text{to_string(what.code)};
  if (!what.text.empty())
    text.append(": ").append(what.text);
  return text;
}

namespace {

void append_escaped(std::string& to, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  if (byte == '"' || byte == '\\') {
    to.push_back('\\');
    to.push_back(static_cast<char>(byte));
  } else if (byte >= 0x20 && byte < 0x7f) {
    to.push_back(static_cast<char>(byte));
  } else {
    to.append("\\x");
    to.push_back(digits[byte >> 4]);
    to.push_back(digits[byte & 0xf]);
  }
}

} // namespace

std::string quote(std::string_view text, std::size_t max_bytes) {
  std::string quoted{'"'};
  for (char c : text.substr(0, max_bytes))
    append_escaped(quoted, static_cast<unsigned char>(c));
  quoted.push_back('"');
  if (text.size() > max_bytes)
    quoted.append("... (").append(std::to_string(text.size())).append(" bytes)");
  return quoted;
}

} // namespace edupulse
