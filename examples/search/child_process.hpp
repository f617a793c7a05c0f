#pragma once
// A process of this same program, that answers in lines.

#include "interrupt.hpp"
#include <edupulse/event.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace edupulse::search {

/// What is written to it arrives on its standard input, what it prints is read here, and what it
/// says on standard error goes to a file. It is killed with this object and with this process,
/// however that ends, and hears nothing of Ctrl-C. One thread, which must be the main one: the
/// kernel takes the end of the thread that started it for the end of the process.
class child_process {
public:
  /// Errors: `io`.
  static expected<std::unique_ptr<child_process>>
  start(std::string name, std::vector<std::string> arguments, std::filesystem::path errors);
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  const std::string& name() const noexcept { return name_; }
  pid_t pid() const noexcept { return pid_; }
  /// Sends a line and waits for the one that answers it. Errors: see `read_line`.
  expected<std::string> ask(const std::string& line, duration patience, const interrupt& stop);
  /// Errors: `io` when it has ended, with its last lines; `timed_out`; `stopping` when `stop`
  /// happened.
  expected<std::string> read_line(duration patience, const interrupt& stop);
  bool has_ended();
  /// Sends a line that is not answered. False: it is not there any more.
  bool tell(const std::string& line);
  /// Can be polled: there is something to take, or the process has ended.
  int fd() const noexcept { return from_; }
  /// Reads what there is, and takes a line of it if there is one. Never waits.
  bool take_line(std::string& line);
  void signal(int number);
  /// How, and its last lines. Of a process that has closed its output.
  error how_it_ended();
  /// SIGKILL.
  void kill();
  /// Closes its input, which ends it, and waits; kills it when `patience` is over.
  void stop(duration patience);

private:
  child_process() = default;
  bool wait_for_end(duration patience);

  std::string name_;
  std::filesystem::path errors_;
  std::string buffer_;
  pid_t pid_ = 0;
  int to_ = -1;
  int from_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

} // namespace edupulse::search
