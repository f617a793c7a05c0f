#pragma once
// Lines of a file or pipe, with their numbers, one bounded buffer however long a line is.

#include <cstddef>
#include <edupulse/event.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::search {

struct input_line {
  std::size_t number = 0; ///< from 1
  std::string_view text;  ///< without its end; valid until the next call; empty when too long
  bool too_long = false;
};

/// Ends lines at LF or CR LF; the last one may have no end. Skips blank lines, and a byte order
/// mark at the start. One thread.
class line_reader {
public:
  static constexpr std::size_t default_max = 1u << 20;

  /// Reads `fd`, which stays the caller's. As soon as `stop_fd` can be read there are no more
  /// lines, even if `fd` would wait for some; -1: never.
  explicit line_reader(int fd, int stop_fd = -1, std::size_t max_bytes = default_max);

  /// Nothing at the end. Errors: `io`; there are no lines after one.
  expected<std::optional<input_line>> next();

  /// Bytes of all lines so far, the ends of lines and blank ones included.
  std::uint64_t bytes_done() const noexcept { return bytes_read_ - (end_ - begin_); }
  bool was_stopped() const noexcept { return stopped_; }

private:
  enum class filled : std::uint8_t { more, end };
  expected<filled> fill();
  std::optional<input_line> finish(std::string_view text);

  int fd_;
  int stop_fd_;
  std::size_t max_bytes_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0; ///< of what was read and not yet handed out
  std::size_t end_ = 0;
  std::size_t number_ = 0;
  std::uint64_t bytes_read_ = 0; ///< from `fd`
  bool skipping_ = false;        ///< inside a line that is too long
  bool at_end_ = false;
  bool stopped_ = false;
};

} // namespace edupulse::search
