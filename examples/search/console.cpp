#include "console.hpp"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace edupulse::search {

console::console() : terminal_(::isatty(STDERR_FILENO) != 0) {}

std::size_t console::width() const {
  winsize size{};
  if (!terminal_ || ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

void console::redraw(const std::string& line) {
  const std::lock_guard guard(mutex_);
  if (!terminal_)
    return;
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void console::say(const std::string& line) {
  clear();
  const std::lock_guard guard(mutex_);
  std::fprintf(stderr, "%s\n", line.c_str());
}

void console::clear() {
  const std::lock_guard guard(mutex_);
  if (std::exchange(drawn_, false))
    std::fprintf(stderr, "\r\x1b[K");
}

bool colors_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == '\0') &&
         terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

} // namespace edupulse::search
