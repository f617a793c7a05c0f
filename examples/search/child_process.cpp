#include "child_process.hpp"
#include "clock.hpp"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edupulse::search {

namespace {

constexpr std::size_t lines_shown = 5;

int milliseconds_until(time_point when) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

std::string last_lines(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);)
    all.push_back(line);
  std::string text;
  for (auto at = all.size() - std::min(all.size(), lines_shown); at < all.size(); ++at)
    text += "\n  " + all[at];
  return text.empty() ? "; it said nothing" : "; the last it said:" + text;
}

/// Between fork and exec: only what is allowed in a process that had threads.
[[noreturn]] void become(char* const* arguments, int in, int out, int err, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(127); // it died before that was said
  ::setpgid(0, 0);
  const int ends[3] = {in, out, err};
  for (int which = 0; which < 3; ++which)
    ::dup2(ends[which], which);
  ::execv("/proc/self/exe", arguments);
  ::_exit(127);
}

} // namespace

expected<std::unique_ptr<child_process>> child_process::start(std::string name,
                                                              std::vector<std::string> arguments,
                                                              std::filesystem::path errors) {
  std::unique_ptr<child_process> made(new child_process);
  made->name_ = std::move(name);
  made->errors_ = std::move(errors);
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  const int err = ::open(made->errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool good = err >= 0 && ::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0;
  std::string program = "edupulse-node";
  std::vector<char*> pointers = {program.data()};
  for (auto& each : arguments)
    pointers.push_back(each.data());
  pointers.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = good ? ::fork() : -1;
  if (child == 0)
    become(pointers.data(), in[0], out[1], err, parent);
  const int trouble = errno;
  for (const int end : {in[0], out[1], err})
    if (end >= 0)
      ::close(end);
  made->to_ = in[1];
  made->from_ = out[0];
  made->pid_ = child;
  made->ended_ = child < 0;
  if (child < 0)
    return fail(errc::io,
                "cannot start the process of node " + made->name_ + ": " + std::strerror(trouble));
  return made;
}

child_process::~child_process() {
  kill();
  for (const int end : {to_, from_})
    if (end >= 0)
      ::close(end);
}

expected<std::string> child_process::ask(const std::string& line, duration patience,
                                         const interrupt& stop) {
  if (!tell(line))
    return tl::unexpected(how_it_ended());
  return read_line(patience, stop);
}

bool child_process::tell(const std::string& line) {
  const std::string text = line + "\n";
  return to_ >= 0 && ::write(to_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool child_process::take_line(std::string& line) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != buffer_.npos) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return true;
    }
    pollfd one{from_, POLLIN, 0};
    char part[4096];
    if (::poll(&one, 1, 0) <= 0)
      return false;
    const auto got = ::read(from_, part, sizeof part);
    if (got <= 0)
      return false;
    buffer_.append(part, static_cast<std::size_t>(got));
  }
}

void child_process::signal(int number) {
  if (!has_ended())
    ::kill(pid_, number);
}

expected<std::string> child_process::read_line(duration patience, const interrupt& stop) {
  const auto until = now() + patience;
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != buffer_.npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd either[2] = {{from_, POLLIN, 0}, {stop.fd(), POLLIN, 0}};
    const int count = ::poll(either, 2, milliseconds_until(until));
    if (count < 0 && errno != EINTR)
      return fail(errc::io, std::string("cannot wait for a process: ") + std::strerror(errno));
    if (either[1].revents != 0)
      return fail(errc::stopping, "interrupted");
    if (count == 0)
      return fail(errc::timed_out, "node " + name_ + " does not answer" + last_lines(errors_));
    char part[4096];
    const auto got = ::read(from_, part, sizeof part);
    if (got == 0)
      return tl::unexpected(how_it_ended());
    if (got > 0)
      buffer_.append(part, static_cast<std::size_t>(got));
  }
}

bool child_process::has_ended() {
  if (!ended_)
    ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return ended_;
}

bool child_process::wait_for_end(duration patience) {
  const auto until = now() + patience;
  while (!has_ended() && now() < until) {
    pollfd end{from_, 0, 0}; // its end of the pipe closes with it
    if (::poll(&end, 1, std::min(milliseconds_until(until), 100)) > 0 && !has_ended())
      ::poll(nullptr, 0, 1); // closed, and about to be gone
  }
  return ended_;
}

error child_process::how_it_ended() {
  std::string how = "has closed its output";
  if (wait_for_end(std::chrono::seconds(1)))
    how = WIFSIGNALED(status_)
              ? std::string("was ended by signal ") + std::to_string(WTERMSIG(status_)) + " (" +
                    ::strsignal(WTERMSIG(status_)) + ")"
              : "ended with code " + std::to_string(WEXITSTATUS(status_));
  return {errc::io, "the process of node " + name_ + " " + how + last_lines(errors_)};
}

void child_process::kill() {
  if (has_ended())
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
  ended_ = true;
}

void child_process::stop(duration patience) {
  if (to_ >= 0)
    ::close(std::exchange(to_, -1));
  if (!wait_for_end(patience))
    kill();
}

} // namespace edupulse::search
