#pragma once
// Ctrl-C (SIGINT) and SIGTERM as something that can be waited for beside input.

namespace edupulse::search {

/// While it lives, the first signal makes `fd()` readable for good; a second one ends the process
/// at once, as if nobody had asked. SIGPIPE is ignored: writing to a closed pipe is an error like
/// any other. At most one at a time; before other threads are started.
class interrupt {
public:
  interrupt();
  interrupt(const interrupt&) = delete;
  interrupt& operator=(const interrupt&) = delete;
  ~interrupt();

  int fd() const noexcept;
  bool happened() const noexcept;
  /// Waits at most that long; true as soon as it happened.
  bool wait_ms(int milliseconds) const noexcept;
};

} // namespace edupulse::search
