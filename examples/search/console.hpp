#pragma once
// Standard error, shared by a line that is redrawn and messages that stay.

#include <cstddef>
#include <mutex>
#include <string>

namespace edupulse::search {

/// Any thread.
class console {
public:
  console();
  ~console() { clear(); }
  console(const console&) = delete;
  console& operator=(const console&) = delete;

  bool is_terminal() const noexcept { return terminal_; }
  /// Of the terminal, now; 80 where there is none.
  std::size_t width() const;
  /// Replaces the line that is redrawn. Only on a terminal.
  void redraw(const std::string& line);
  /// A line that stays.
  void say(const std::string& line);
  /// Removes the line that is redrawn.
  void clear();

private:
  std::mutex mutex_;
  bool terminal_;
  bool drawn_ = false;
};

/// True when standard output is a terminal and the environment does not say NO_COLOR
/// (https://no-color.org) or TERM=dumb.
bool colors_wanted();

} // namespace edupulse::search
