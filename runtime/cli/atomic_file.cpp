#include "runtime/cli/atomic_file.hpp"
#include "runtime/descriptor.hpp"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace edupulse::cli {
namespace {

tl::unexpected<error> trouble(const std::filesystem::path& file, const char* what) {
  const int code = errno;
  const char* hint = code == ENOSPC                    ? "make room on its disk"
                     : code == ENAMETOOLONG            ? "choose a shorter name"
                     : code == EACCES || code == EROFS ? "choose a directory that may be written"
                                                       : "look at the directory";
  return fail(errc::io,
              file.string() + " cannot be " + what + ": " + std::strerror(code) + ": " + hint);
}

/// Gone at the end, unless it was renamed.
class draft {
public:
  explicit draft(const std::filesystem::path& file)
      : name_((file.parent_path() / ".new-XXXXXX").string()),
        file_(::mkostemp(name_.data(), O_CLOEXEC)) {}
  draft(const draft&) = delete;
  draft& operator=(const draft&) = delete;
  ~draft() {
    if (file_.number() >= 0)
      ::unlink(name_.c_str());
  }

  bool write(std::string_view text, mode_t mode) const {
    if (file_.number() < 0 || ::fchmod(file_.number(), mode) != 0)
      return false;
    while (!text.empty()) {
      const auto done = ::write(file_.number(), text.data(), text.size());
      if (done < 0 && errno != EINTR)
        return false;
      text.remove_prefix(done < 0 ? 0 : static_cast<std::size_t>(done));
    }
    return ::fsync(file_.number()) == 0;
  }
  /// A link fails where a renamed file would replace what is there.
  bool put(const std::filesystem::path& file, overwrite when_there) const {
    if (when_there == overwrite::allowed)
      return ::rename(name_.c_str(), file.c_str()) == 0;
    return ::link(name_.c_str(), file.c_str()) == 0;
  }

private:
  std::string name_;
  descriptor file_;
};

void sync_directory(const std::filesystem::path& directory) {
  const descriptor it(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (it.number() >= 0)
    ::fsync(it.number()); // a name that is not on the disk does not survive either
}

} // namespace

expected<void> write_file(const std::filesystem::path& file, std::string_view text, mode_t mode,
                          overwrite when_there) {
  const draft fresh(file);
  if (!fresh.write(text, mode))
    return trouble(file, "written");
  if (!fresh.put(file, when_there)) {
    if (errno == EEXIST)
      return fail(errc::refused, file.string() + " exists: --force replaces it");
    return trouble(file, "written");
  }
  sync_directory(file.parent_path());
  return {};
}

expected<void> make_directory(const std::filesystem::path& directory) {
  std::filesystem::path so_far;
  for (const auto& part : directory) {
    so_far /= part;
    if (!part.empty() && ::mkdir(so_far.c_str(), S_IRWXU) != 0 && errno != EEXIST)
      return trouble(so_far, "made");
  }
  return {};
}

// -- directory_lock -----------------------------------------------------------------

expected<directory_lock> directory_lock::take(const std::filesystem::path& directory) {
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0)
    return trouble(directory, "opened");
  directory_lock lock(file);
  while (::flock(file, LOCK_EX) != 0)
    if (errno != EINTR)
      return trouble(directory, "locked");
  return lock;
}

directory_lock::directory_lock(directory_lock&& other) noexcept
    : file_(std::exchange(other.file_, -1)) {}

directory_lock::~directory_lock() {
  if (file_ >= 0)
    ::close(file_);
}

} // namespace edupulse::cli
