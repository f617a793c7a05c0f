#pragma once
// Commands for a process, a line each.

#include <poll.h>
#include <string>
#include <unistd.h>
#include <utility>

namespace edupulse::simulator {

/// Lines of `fd`; once `ends` can be read, the line is `last_words`.
class line_source {
public:
  line_source(int fd, int ends, std::string last_words)
      : fd_(fd), ends_(ends), last_words_(std::move(last_words)) {}
  /// False: there are no more.
  bool next(std::string& line) {
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
      }
      pollfd either[2] = {{fd_, POLLIN, 0}, {ends_, POLLIN, 0}};
      if (::poll(either, 2, -1) < 0)
        continue;
      if ((either[1].revents & POLLIN) != 0) {
        line = last_words_;
        return true;
      }
      char some[4096];
      const auto size = ::read(fd_, some, sizeof some);
      if (size <= 0)
        return false;
      text_.append(some, static_cast<std::size_t>(size));
    }
  }

private:
  int fd_;
  int ends_;
  std::string last_words_;
  std::string text_;
};

} // namespace edupulse::simulator
