#pragma once
// JSON that the compiler writes. Nobody includes this but plugin_manifest.hpp.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace edupulse::detail {

/// Writes JSON into anything with `put(char)`.
template <class Out> class json_writer {
public:
  constexpr explicit json_writer(Out& out) : out_(out) {}

  constexpr void open(char bracket) {
    comma();
    out_.put(bracket);
    first_ = true;
  }
  constexpr void close(char bracket) {
    out_.put(bracket);
    first_ = false;
  }
  constexpr void name(std::string_view text) {
    comma();
    quoted(text);
    out_.put(':');
    first_ = true;
  }
  constexpr void text(std::string_view what) {
    comma();
    quoted(what);
    first_ = false;
  }
  constexpr void bare(std::string_view what) {
    comma();
    raw(what);
    first_ = false;
  }
  constexpr void integer(std::int64_t what) {
    comma();
    digits(what);
    first_ = false;
  }
  /// With three decimals.
  constexpr void number(double what) {
    if (!(what > -1e15 && what < 1e15))
      throw "a number in a plugin's description is between -10^15 and 10^15";
    comma();
    if (what < 0)
      out_.put('-');
    const double size = what < 0 ? -what : what;
    const auto thousandths = static_cast<std::uint64_t>(size * 1000 + 0.5);
    digits(static_cast<std::int64_t>(thousandths / 1000));
    out_.put('.');
    for (std::uint64_t part = 100; part > 0; part /= 10)
      out_.put(static_cast<char>('0' + thousandths / part % 10));
    first_ = false;
  }
  constexpr void text(std::string_view key, std::string_view what) { name(key), text(what); }
  constexpr void integer(std::string_view key, std::int64_t what) { name(key), integer(what); }
  constexpr void milliseconds(std::string_view key, std::chrono::nanoseconds what) {
    integer(key, std::chrono::duration_cast<std::chrono::milliseconds>(what).count());
  }

private:
  constexpr void comma() {
    if (!std::exchange(first_, true))
      out_.put(',');
  }
  constexpr void raw(std::string_view what) {
    for (const char c : what)
      out_.put(c);
  }
  constexpr void digits(std::int64_t what) {
    if (what < 0)
      out_.put('-');
    std::array<char, 20> reversed{};
    std::size_t size = 0;
    auto rest = what < 0 ? 0 - static_cast<std::uint64_t>(what) : static_cast<std::uint64_t>(what);
    do
      reversed[size++] = static_cast<char>('0' + rest % 10);
    while ((rest /= 10) != 0);
    while (size > 0)
      out_.put(reversed[--size]);
  }
  constexpr void quoted(std::string_view what) {
    out_.put('"');
    for (const char c : what) {
      if (c == '"' || c == '\\')
        out_.put('\\'), out_.put(c);
      else if (static_cast<unsigned char>(c) < 0x20)
        raw("\\u00"), out_.put(c < 0x10 ? '0' : '1'), out_.put("0123456789abcdef"[c & 15]);
      else
        out_.put(c);
    }
    out_.put('"');
  }

  Out& out_;
  bool first_ = true;
};

struct counting_out {
  std::size_t size = 0;
  constexpr void put(char) { ++size; }
};
template <std::size_t N> struct array_out {
  std::array<char, N> text{};
  std::size_t size = 0;
  constexpr void put(char c) { text[size++] = c; }
};

} // namespace edupulse::detail
