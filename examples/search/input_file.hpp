#pragma once
// The file of lessons, or standard input.

#include <cerrno>
#include <cstring>
#include <edupulse/event.hpp>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace edupulse::search {

class input_file {
public:
  ~input_file() {
    if (fd_ > STDIN_FILENO)
      ::close(fd_);
  }
  /// Errors: `io`.
  expected<void> open(const std::string& name) {
    fd_ = name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (fd_ < 0 || ::fstat(fd_, &about) != 0)
      return fail(errc::io, "cannot open " + name + ": " + std::strerror(errno) +
                                "; give a file of JSON lines with --input");
    if (S_ISDIR(about.st_mode))
      return fail(errc::io, name + " is a directory; give a file of JSON lines with --input");
    size_ = S_ISREG(about.st_mode) ? static_cast<std::uint64_t>(about.st_size) : 0;
    return {};
  }
  int fd() const noexcept { return fd_; }
  /// 0 when it cannot be known.
  std::uint64_t size() const noexcept { return size_; }

private:
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

} // namespace edupulse::search
