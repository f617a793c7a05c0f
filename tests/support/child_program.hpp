#pragma once
// A program that a test starts. Its output goes to files, its input comes from a pipe.

#include "tests/support/catch.hpp"
#include "tests/support/scratch_dir.hpp"
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

extern char** environ;

namespace edupulse::test {

class child_program {
public:
  /// The first argument is the program: a path, or a name to look for in PATH.
  explicit child_program(std::vector<std::string> arguments) {
    std::vector<char*> pointers;
    for (auto& each : arguments)
      pointers.push_back(each.data());
    pointers.push_back(nullptr);
    REQUIRE(::pipe2(input_, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input_[0], 0);
    posix_spawn_file_actions_addopen(&files, 1, out().c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err().c_str(), O_WRONLY | O_CREAT, 0600);
    REQUIRE(posix_spawnp(&pid_, pointers[0], &files, nullptr, pointers.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&files);
    ::close(input_[0]);
  }
  child_program(const child_program&) = delete;
  child_program& operator=(const child_program&) = delete;
  ~child_program() {
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

  /// The exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string output() const { return read_to_end(out()); }
  std::string errors() const { return read_to_end(err()); }

private:
  static std::string read_to_end(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::filesystem::path out() const { return dir_ / "out"; }
  std::filesystem::path err() const { return dir_ / "err"; }

  scratch_dir dir_;
  int input_[2] = {-1, -1};
  pid_t pid_ = 0;
};

} // namespace edupulse::test
