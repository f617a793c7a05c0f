#pragma once
// Processes of a benchmark: this program again in a role, or a peer's server. Parent and child talk
// in lines over the child's standard input and output. A child dies with its parent.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

class child {
public:
  /// This program, as `--child ROLE ARGS...`.
  static child role(const std::string& name, const std::vector<std::string>& args = {});
  /// Another program, looked for in PATH. With `environment` ("NAME=value") on top of ours.
  static child program(const std::vector<std::string>& command,
                       const std::vector<std::string>& environment = {});
  child(child&& from) noexcept;
  child& operator=(child&&) = delete;
  ~child(); ///< kills it, unless it has ended, and waits for its end

  pid_t pid() const noexcept { return pid_; }
  void tell(const std::string& line) const;
  /// Its next line. Empty: there was none in time, or it has ended.
  std::optional<std::string> hear(std::chrono::milliseconds patience);
  /// The rest of the line that begins with this word; lines before it are dropped. Ends the
  /// benchmark, saying who did not answer, when there is none in time.
  std::string expect(const std::string& word,
                     std::chrono::milliseconds patience = std::chrono::seconds(60));
  /// Closes its input, which asks it to end, and gives it this long.
  void end(std::chrono::milliseconds patience = std::chrono::seconds(10));

private:
  child(std::string what, pid_t pid, int to, int from);
  std::string what_;
  pid_t pid_;
  int to_;
  int from_;
  std::string heard_;
};

// -- in the child -------------------------------------------------------------------

/// A line to the parent.
void say(const std::string& line);
/// The parent's next line; ends the process when the parent has closed.
std::string await_line();

// -- either -------------------------------------------------------------------------

/// Of the clock that all processes of a machine share.
std::int64_t now_ns();
/// A TCP port of 127.0.0.1 that nobody listens on at this moment.
std::uint16_t free_port();
bool is_installed(const std::string& program);

/// "key: 12345 kB" of a file in /proc, in MiB.
double proc_mib(const std::string& file, const std::string& key);

/// A directory of its own, gone at the end.
class scratch {
public:
  scratch();
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch();
  const std::string& path() const noexcept { return path_; }
  std::string write(const std::string& name, const std::string& text) const;

private:
  std::string path_;
};

} // namespace bench
