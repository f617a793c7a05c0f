#pragma once
// A program that a test starts: what goes in, what comes out, how it ends.

#include "tests/support/catch.hpp"
#include "tests/support/scratch_dir.hpp"
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace edupulse::test {

inline std::string read_to_end(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A running program. Its output goes to files, its input comes from a pipe. It is killed with this
/// object, and with the test, however that ends.
class program {
public:
  /// `name`: a path, or a name to look for in PATH.
  program(const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), name);
    std::vector<char*> pointers;
    for (auto& each : arguments)
      pointers.push_back(each.data());
    pointers.push_back(nullptr);
    REQUIRE(::pipe2(input_, O_CLOEXEC) == 0);
    const int files[3] = {input_[0], create(out()), create(err())};
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (int which = 0; which < 3; ++which)
        ::dup2(files[which], which);
      ::execvp(pointers[0], pointers.data());
      ::_exit(127);
    }
    for (const int file : files)
      ::close(file);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    close_input();
    if (pid_ > 0)
      ::kill(pid_, SIGKILL);
    if (pid_ > 0)
      ::waitpid(pid_, nullptr, 0);
  }

  void write(const std::string& text) {
    REQUIRE(::write(input_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close_input() {
    if (input_[1] >= 0)
      ::close(std::exchange(input_[1], -1));
  }
  void signal(int number) const { ::kill(pid_, number); }
  pid_t pid() const noexcept { return pid_; }

  /// Waits for the end; the exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string output() const { return read_to_end(out()); }
  std::string errors() const { return read_to_end(err()); }

private:
  std::filesystem::path out() const { return dir_ / "out"; }
  std::filesystem::path err() const { return dir_ / "err"; }
  static int create(const std::filesystem::path& file) {
    return ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  }

  scratch_dir dir_;
  int input_[2] = {-1, -1};
  pid_t pid_ = 0;
};

} // namespace edupulse::test
