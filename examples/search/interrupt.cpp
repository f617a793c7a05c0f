#include "interrupt.hpp"
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace edupulse::search {

namespace {

int ends[2] = {-1, -1}; // a signal handler reaches nothing but globals

extern "C" void on_signal(int number) {
  const int saved = errno;
  std::signal(number, SIG_DFL);
  const char byte = 0;
  [[maybe_unused]] const auto written = ::write(ends[1], &byte, 1);
  errno = saved;
}

} // namespace

interrupt::interrupt() {
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    ends[0] = ends[1] = -1; // out of descriptors: signals then end the process as usual
  else
    for (const int number : {SIGINT, SIGTERM})
      std::signal(number, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
}

interrupt::~interrupt() {
  for (const int number : {SIGINT, SIGTERM, SIGPIPE})
    std::signal(number, SIG_DFL);
  for (int& end : ends)
    if (end >= 0)
      ::close(std::exchange(end, -1));
}

int interrupt::fd() const noexcept { return ends[0]; }
bool interrupt::happened() const noexcept { return wait_ms(0); }

bool interrupt::wait_ms(int milliseconds) const noexcept {
  pollfd wait = {ends[0], POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

} // namespace edupulse::search
