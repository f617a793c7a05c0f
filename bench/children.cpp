#include "children.hpp"
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace bench {

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fflush(stdout);
  std::fprintf(stderr, "edupulse-bench: %s\n", why.c_str());
  std::exit(1); // every child dies with us
}

/// In the new process, between fork and exec.
[[noreturn]] void become(const std::vector<char*>& command, const int* input, const int* output,
                         pid_t parent, const std::vector<std::string>& environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) // it ended before the line above
    ::_exit(126);
  ::dup2(input[0], STDIN_FILENO);
  ::dup2(output[1], STDOUT_FILENO);
  for (const auto& one : environment)
    ::putenv(const_cast<char*>(one.c_str()));
  ::execvp(command[0], command.data());
  ::_exit(127);
}

} // namespace

child::child(std::string what, pid_t pid, int to, int from)
    : what_(std::move(what)), pid_(pid), to_(to), from_(from) {}

child::child(child&& from) noexcept
    : what_(std::move(from.what_)), pid_(std::exchange(from.pid_, -1)),
      to_(std::exchange(from.to_, -1)), from_(std::exchange(from.from_, -1)),
      heard_(std::move(from.heard_)) {}

child::~child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int each : {to_, from_})
    if (each >= 0)
      ::close(each);
}

child child::program(const std::vector<std::string>& command,
                     const std::vector<std::string>& environment) {
  static const bool once = [] { return std::signal(SIGPIPE, SIG_IGN) != SIG_ERR; }();
  int input[2];
  int output[2];
  if (!once || ::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
    give_up("no pipe for a child process");
  std::vector<char*> words;
  for (const auto& word : command)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0)
    become(words, input, output, parent, environment);
  ::close(input[0]);
  ::close(output[1]);
  if (pid < 0)
    give_up("no new process for " + command[0]);
  return {command[0], pid, input[1], output[0]};
}

child child::role(const std::string& name, const std::vector<std::string>& args) {
  std::vector<std::string> command{"/proc/self/exe", "--child", name};
  for (const auto& arg : args) {
    command.push_back("--arg");
    command.push_back(arg);
  }
  auto made = program(command);
  made.what_ = name;
  return made;
}

void child::tell(const std::string& line) const {
  const auto text = line + "\n";
  if (::write(to_, text.data(), text.size()) < 0)
    give_up(what_ + " has ended before it was told: " + line);
}

std::optional<std::string> child::hear(std::chrono::milliseconds patience) {
  const auto until = now_ns() + std::chrono::nanoseconds(patience).count();
  for (;;) {
    if (const auto end = heard_.find('\n'); end != std::string::npos) {
      auto line = heard_.substr(0, end);
      heard_.erase(0, end + 1);
      return line;
    }
    const auto left = (until - now_ns()) / 1'000'000;
    pollfd input{from_, POLLIN, 0};
    if (left < 0 || ::poll(&input, 1, static_cast<int>(left) + 1) == 0)
      return std::nullopt;
    char bytes[4096];
    const auto got = ::read(from_, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EINTR))
      return std::nullopt;
    if (got > 0)
      heard_.append(bytes, static_cast<std::size_t>(got));
  }
}

std::string child::expect(const std::string& word, std::chrono::milliseconds patience) {
  while (const auto line = hear(patience)) {
    if (*line == word)
      return {};
    if (line->starts_with(word + " "))
      return line->substr(word.size() + 1);
  }
  give_up(what_ + " did not say '" + word + "' within " + std::to_string(patience.count()) + " ms");
}

void child::end(std::chrono::milliseconds patience) {
  ::close(std::exchange(to_, -1));
  const auto until = now_ns() + std::chrono::nanoseconds(patience).count();
  while (now_ns() < until) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    ::usleep(2000);
  }
}

void say(const std::string& line) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string await_line() {
  std::string line;
  if (!std::getline(std::cin, line))
    std::_Exit(0);
  return line;
}

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (probe < 0 || ::bind(probe, generic, size) != 0 || ::getsockname(probe, generic, &size) != 0)
    give_up("no free port on 127.0.0.1");
  ::close(probe);
  return ntohs(address.sin_port);
}

bool is_installed(const std::string& program) {
  std::istringstream path(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  for (std::string directory; std::getline(path, directory, ':');)
    if (::access((directory + "/" + program).c_str(), X_OK) == 0)
      return true;
  return false;
}

double proc_mib(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key + ":"))
      return std::strtod(line.c_str() + key.size() + 1, nullptr) / 1024;
  give_up(file + " has no line " + key);
}

scratch::scratch() : path_("/tmp/edupulse-bench-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr)
    give_up("no directory in /tmp");
}

scratch::~scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string scratch::write(const std::string& name, const std::string& text) const {
  const auto file = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_read |
                                         std::filesystem::perms::owner_write);
  return file.string();
}

} // namespace bench
