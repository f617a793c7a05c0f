#include "line_reader.hpp"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace edupulse::search {

namespace {

constexpr std::size_t chunk = 64u << 10;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

} // namespace

line_reader::line_reader(int fd, int stop_fd, std::size_t max_bytes)
    : fd_(fd), stop_fd_(stop_fd), max_bytes_(max_bytes), buffer_(max_bytes + chunk) {}

expected<std::optional<input_line>> line_reader::next() {
  while (true) {
    const char* from = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    if (newline != nullptr) {
      const std::string_view text(from, static_cast<std::size_t>(newline - from));
      begin_ += text.size() + 1;
      if (auto line = finish(text))
        return line;
      continue;
    }
    if (end_ - begin_ > max_bytes_) { // an end is still to come: forget what there is of it
      skipping_ = true;
      begin_ = end_;
    }
    const auto got = fill();
    if (!got)
      return tl::unexpected(got.error());
    if (*got == filled::more)
      continue;
    const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
    begin_ = end_;
    if ((rest.empty() && !skipping_) || stopped_)
      return std::nullopt;
    return finish(rest);
  }
}

expected<line_reader::filled> line_reader::fill() {
  if (at_end_)
    return filled::end;
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  pollfd waits[] = {{fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}}; // poll ignores -1
  while (::poll(waits, 2, -1) < 0)
    if (errno != EINTR)
      return fail(errc::io, std::string("cannot wait for input: ") + std::strerror(errno));
  if (waits[1].revents != 0) {
    at_end_ = stopped_ = true;
    return filled::end;
  }
  ssize_t got = 0;
  do
    got = ::read(fd_, buffer_.data() + end_, std::min(chunk, buffer_.size() - end_));
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    at_end_ = true;
    return fail(errc::io, std::string("cannot read the input: ") + std::strerror(errno));
  }
  at_end_ = got == 0;
  end_ += static_cast<std::size_t>(got);
  bytes_read_ += static_cast<std::uint64_t>(got);
  return at_end_ ? filled::end : filled::more;
}

std::optional<input_line> line_reader::finish(std::string_view text) {
  ++number_;
  if (skipping_ || text.size() > max_bytes_) {
    skipping_ = false;
    return input_line{number_, {}, true};
  }
  if (number_ == 1 && text.starts_with("\xEF\xBB\xBF"))
    text.remove_prefix(3);
  if (text.ends_with('\r'))
    text.remove_suffix(1);
  if (is_blank(text))
    return std::nullopt;
  return input_line{number_, text, false};
}

} // namespace edupulse::search
