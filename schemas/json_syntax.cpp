#include "schemas/json_syntax.hpp"

#include "schemas/utf8.hpp"
#include <bitset>
#include <cstdint>

namespace edupulse {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_surrogate(std::uint32_t code) noexcept { return code >= 0xd800 && code <= 0xdfff; }

void append_utf8(std::string& to, std::uint32_t code) {
  const auto byte = [&](std::uint32_t bits) { to.push_back(static_cast<char>(bits)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

/// What stands in a JSON string for one character that was written as `\u`.
void append_character(std::string& to, std::uint32_t code) {
  if (code == 0)
    to.append("\\u0000");
  else if (code == '"' || code == '\\')
    to.append(1, '\\').append(1, static_cast<char>(code));
  else
    append_utf8(to, code);
}

/// One pass over the text. `open_` remembers for each level whether it is an object.
class checker {
public:
  explicit checker(std::string_view text) : text_(text) { out_.reserve(text.size()); }

  expected<std::string> run() {
    if (const auto good = utf8_prefix(text_); good != text_.size())
      return fail(errc::bad_json, "not UTF-8 at byte " + std::to_string(good + 1));
    if (!document())
      return fail(errc::bad_json, fault_ + " at byte " + std::to_string(at_ + 1));
    return std::move(out_);
  }

private:
  // -- characters -------------------------------------------------------------------

  bool ended() const noexcept { return at_ >= text_.size(); }
  char here() const noexcept { return ended() ? '\0' : text_[at_]; }

  void keep() { out_.push_back(text_[at_++]); }

  bool wrong(std::string_view what) {
    fault_ = ended() ? "the text ends too early" : what;
    return false;
  }
  bool expected_here(std::string_view what) {
    std::string fault = quote(what);
    fault.append(" is expected");
    return wrong(fault);
  }

  void skip_spaces() noexcept {
    while (here() == ' ' || here() == '\t' || here() == '\n' || here() == '\r')
      ++at_;
  }

  bool take(char c) {
    if (here() != c)
      return expected_here({&c, 1});
    keep();
    return true;
  }

  // -- structure --------------------------------------------------------------------

  bool document() {
    skip_spaces();
    if (!value())
      return false;
    while (depth_ != 0)
      if (!after_value())
        return false;
    skip_spaces();
    return ended() || wrong("more behind the value");
  }

  bool in_object() const noexcept { return open_[depth_ - 1]; }

  /// A scalar as a whole; of an array or object as much as comes before its first value.
  bool value() {
    for (;;) {
      switch (here()) {
      case '{':
      case '[': {
        const bool object = here() == '{';
        if (depth_ == max_json_nesting)
          return wrong("nested deeper than " + std::to_string(max_json_nesting));
        open_[depth_++] = object;
        keep();
        skip_spaces();
        if (here() == (object ? '}' : ']')) {
          keep();
          --depth_;
          return true;
        }
        if (object && !name())
          return false;
        continue; // with the first value inside
      }
      case '"':
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
      }
    }
  }

  /// A comma and the next value, or the end of the innermost array or object.
  bool after_value() {
    skip_spaces();
    if (here() == ',') {
      keep();
      skip_spaces();
      return (!in_object() || name()) && value();
    }
    if (!take(in_object() ? '}' : ']')) {
      if (!ended())
        fault_ = in_object() ? "\",\" or \"}\" is expected" : "\",\" or \"]\" is expected";
      return false;
    }
    --depth_;
    return true;
  }

  bool name() {
    if (here() != '"')
      return wrong("a field name in quotes is expected");
    if (!string())
      return false;
    skip_spaces();
    if (!take(':'))
      return false;
    skip_spaces();
    return true;
  }

  bool literal(std::string_view word) {
    for (char c : word) {
      if (here() != c)
        return expected_here(word);
      keep();
    }
    return true;
  }

  bool digits() {
    if (!is_digit(here()))
      return wrong("a digit is expected");
    while (is_digit(here()))
      keep();
    return true;
  }

  bool number() {
    if (here() != '-' && !is_digit(here()))
      return wrong("a value is expected");
    if (here() == '-')
      keep();
    if (here() == '0')
      keep();
    else if (!digits())
      return false;
    if (here() == '.') {
      keep();
      if (!digits())
        return false;
    }
    if (here() == 'e' || here() == 'E') {
      keep();
      if (here() == '+' || here() == '-')
        keep();
      return digits();
    }
    return true;
  }

  // -- strings ----------------------------------------------------------------------

  bool string() {
    keep();
    for (;;) {
      const char c = here();
      if (ended())
        return wrong({});
      if (static_cast<unsigned char>(c) < 0x20)
        return wrong("a control character in a string");
      if (c == '\\') {
        if (!escape())
          return false;
        continue;
      }
      keep();
      if (c == '"')
        return true;
    }
  }

  bool escape() {
    const std::size_t begin = at_++;
    if (here() != 'u') {
      if (ended() || std::string_view("\"\\/bfnrt").find(here()) == std::string_view::npos)
        return wrong("an unknown escape");
      out_.push_back('\\');
      keep();
      return true;
    }
    std::uint32_t code = 0;
    if (!four_digits(code))
      return false;
    if (is_surrogate(code) && !second_half(begin, code))
      return false;
    append_character(out_, code);
    return true;
  }

  bool four_digits(std::uint32_t& code) {
    ++at_; // the u
    code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = here();
      const std::uint32_t digit = is_digit(c)            ? static_cast<std::uint32_t>(c - '0')
                                  : c >= 'a' && c <= 'f' ? static_cast<std::uint32_t>(c - 'a' + 10)
                                  : c >= 'A' && c <= 'F' ? static_cast<std::uint32_t>(c - 'A' + 10)
                                                         : 16;
      if (digit == 16)
        return wrong("four hexadecimal digits are expected");
      code = code << 4 | digit;
    }
    return true;
  }

  /// Characters beyond U+FFFF are written as two escapes, of which neither means anything alone.
  bool second_half(std::size_t begin, std::uint32_t& code) {
    const std::uint32_t high = code;
    if (high < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      ++at_;
      std::uint32_t low = 0;
      if (!four_digits(low))
        return false;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return true;
      }
    }
    at_ = begin;
    return wrong("half a surrogate pair");
  }

  std::string_view text_;
  std::string out_;
  std::string fault_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::bitset<max_json_nesting> open_;
};

} // namespace

expected<std::string> check_json(std::string_view text) { return checker(text).run(); }

} // namespace edupulse
