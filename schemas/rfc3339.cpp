#include "schemas/rfc3339.hpp"

#include <chrono>
#include <cstdio>

namespace edupulse {

namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t ms_per_day = 24LL * 60 * 60 * 1000;
constexpr sys_days first_day{std::chrono::year{0} / 1 / 1};
constexpr sys_days day_after_last{std::chrono::year{10000} / 1 / 1};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes fixed parts off the front of a text.
class scanner {
public:
  explicit scanner(std::string_view text) noexcept : text_(text) {}

  /// Exactly `digits` digits within [low, high]; -1 otherwise, and from then on.
  int number(std::size_t digits, int low, int high) noexcept {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (i >= text_.size() || !is_digit(text_[i]))
        return give_up();
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return value >= low && value <= high ? value : give_up();
  }

  bool accept(char c) noexcept {
    if (text_.empty() || text_.front() != c)
      return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c, char or_else) noexcept {
    if (!accept(c) && !accept(or_else))
      give_up();
  }

  /// What follows a decimal point, in milliseconds.
  int fraction_ms() noexcept {
    if (text_.empty() || !is_digit(text_.front()))
      return give_up();
    int value = 0;
    for (int unit = 100; !text_.empty() && is_digit(text_.front()); unit /= 10) {
      value += (text_.front() - '0') * unit;
      text_.remove_prefix(1);
    }
    return value;
  }

  bool done() const noexcept { return good_ && text_.empty(); }

private:
  int give_up() noexcept {
    good_ = false;
    text_ = {};
    return -1;
  }

  std::string_view text_;
  bool good_ = true;
};

} // namespace

std::optional<std::string> to_rfc3339(std::int64_t unix_ms) {
  std::int64_t day = unix_ms / ms_per_day;
  if (unix_ms % ms_per_day < 0)
    --day;
  if (day < first_day.time_since_epoch().count() ||
      day >= day_after_last.time_since_epoch().count())
    return std::nullopt;
  const year_month_day date{sys_days{days{static_cast<days::rep>(day)}}};
  const auto ms = static_cast<unsigned>(unix_ms - day * ms_per_day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                ms % 1000);
  return std::string(text);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  scanner in(text);
  const int year = in.number(4, 0, 9999);
  in.expect('-', '-');
  const int month = in.number(2, 1, 12);
  in.expect('-', '-');
  const int day = in.number(2, 1, 31);
  in.expect('T', 't');
  const int hour = in.number(2, 0, 23);
  in.expect(':', ':');
  const int minute = in.number(2, 0, 59);
  in.expect(':', ':');
  const int second = in.number(2, 0, 60);
  const int ms = in.accept('.') ? in.fraction_ms() : 0;
  std::int64_t offset_minutes = 0;
  if (!in.accept('Z') && !in.accept('z')) {
    const bool behind = in.accept('-');
    if (!behind)
      in.expect('+', '+');
    const int hours = in.number(2, 0, 23);
    in.expect(':', ':');
    offset_minutes = (hours * 60 + in.number(2, 0, 59)) * (behind ? -1 : 1);
  }
  if (!in.done())
    return std::nullopt;
  const year_month_day date{std::chrono::year{year},
                            std::chrono::month{static_cast<unsigned>(month)},
                            std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok())
    return std::nullopt;
  const std::int64_t days_since = sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
  return days_since * ms_per_day + seconds * 1000 + ms;
}

} // namespace edupulse
