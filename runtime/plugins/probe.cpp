#include "runtime/plugins/probe.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace edupulse {

namespace {

namespace fs = std::filesystem;

constexpr const char* probe_name = "edupulse-plugin-probe";
constexpr int image_number = 3;
constexpr int answer_number = 4;
constexpr std::size_t answer_max = 4096;
constexpr std::string_view it_is_good = "ok\n";

bool can_run(const fs::path& file) { return ::access(file.c_str(), X_OK) == 0; }

/// Out of the way of the numbers that a child gets.
descriptor moved_up(const descriptor& what) {
  return descriptor(::fcntl(what.number(), F_DUPFD_CLOEXEC, 10));
}

/// Descriptors of the child: 0 and 1 nothing, 2 ours, 3 the plugin, 4 its answer.
class child {
public:
  static expected<child> start(const fs::path& program, const descriptor& image) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return fail(errc::io, std::string("cannot make a pipe: ") + std::strerror(errno));
    descriptor reading(ends[0]);
    const auto writing = moved_up(descriptor(ends[1]));
    const auto plugin = moved_up(image);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, plugin.number(), image_number);
    posix_spawn_file_actions_adddup2(&files, writing.number(), answer_number);
    // Programs block and ignore signals as they like; the child is killed when it must be.
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&how, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&how, &signals);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::array<char*, 2> words{const_cast<char*>(program.c_str()), nullptr};
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, program.c_str(), &files, &how, words.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    if (failed != 0)
      return fail(errc::io,
                  "cannot start " + quote(program.native(), 512) + ": " + std::strerror(failed));
    return child(pid, reading.release());
  }
  child(child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), answers_(other.answers_.release()) {}
  child& operator=(child&&) = delete;
  ~child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      static_cast<void>(wait());
    }
  }

  /// What it writes until it ends; false when it has not ended by then.
  bool listen(time_point until, std::string& into) {
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0)
        return false;
      pollfd one{answers_.number(), POLLIN, 0};
      if (::poll(&one, 1, static_cast<int>(left.count())) <= 0)
        continue;
      std::array<char, 1024> some;
      const auto got = ::read(answers_.number(), some.data(), some.size());
      if (got == 0)
        return true;
      if (got > 0 && into.size() < answer_max)
        into.append(some.data(), static_cast<std::size_t>(got));
    }
  }
  int wait() {
    int status = 0;
    while (::waitpid(std::exchange(pid_, -1), &status, 0) < 0 && errno == EINTR)
      ;
    return status;
  }

private:
  child(pid_t pid, int answers) : pid_(pid), answers_(answers) {}
  pid_t pid_;
  descriptor answers_;
};

tl::unexpected<error> refuse(const std::string& what) {
  return fail(errc::refused, "loaded in a process of its own, the plugin " + what);
}

} // namespace

expected<fs::path> find_probe(const fs::path& given) {
  if (!given.empty()) {
    if (can_run(given))
      return given;
    return fail(errc::not_found,
                "option `probe`: there is no program " + quote(given.native(), 512));
  }
  std::error_code ignored;
  const auto beside = fs::read_symlink("/proc/self/exe", ignored).parent_path() / probe_name;
  if (can_run(beside))
    return beside;
  for (const char* dir : {"/usr/local/bin", "/usr/bin"})
    if (const auto file = fs::path(dir) / probe_name; can_run(file))
      return file;
  return fail(errc::not_found, std::string("the program ") + probe_name +
                                   " is neither beside this one nor in /usr/local/bin or /usr/bin, "
                                   "and plugins are not loaded without it: install it, or set the "
                                   "option `probe`");
}

expected<void> probe_plugin(const plugin_file& what, const fs::path& program, duration patience) {
  auto one = child::start(program, *what.image);
  if (!one)
    return tl::unexpected(one.error());
  std::string answer;
  if (!one->listen(std::chrono::steady_clock::now() + patience, answer))
    return refuse(
        "had not finished loading after " +
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(patience).count()) +
        " s: a static constructor hangs");
  const int status = one->wait();
  if (WIFSIGNALED(status))
    return refuse(std::string("died of ") + ::strsignal(WTERMSIG(status)) +
                  ": a static constructor threw or crashed");
  if (answer == it_is_good && WEXITSTATUS(status) == 0)
    return {};
  if (answer.empty())
    return refuse("ended the process with exit code " + std::to_string(WEXITSTATUS(status)) +
                  ": a static constructor calls exit()");
  return fail(errc::refused, answer);
}

expected<const plugin*> admit(const plugin_file& what, const fs::path& probe_program,
                              duration patience) {
  if (auto same = check_fingerprint(what.manifest.fingerprint); !same)
    return tl::unexpected(same.error());
  if (auto good = probe_plugin(what, probe_program, patience); !good)
    return tl::unexpected(good.error());
  const auto code = load_code(*what.image);
  if (code &&
      ((*code)->name() != what.manifest.name || (*code)->version() != what.manifest.version))
    return fail(errc::refused, "its code has another name or version than its manifest");
  return code;
}

int run_probe() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const auto code = load_code(descriptor(image_number));
  const std::string answer = code ? std::string(it_is_good) : code.error().text;
  const auto wrote = ::write(answer_number, answer.data(), answer.size());
  ::_exit(wrote == static_cast<ssize_t>(answer.size()) ? 0 : 1); // destructors are not our question
}

} // namespace edupulse
