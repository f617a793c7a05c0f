#include "runtime/plugins/trusted_file.hpp"

#include "runtime/descriptor.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace edupulse {

namespace fs = std::filesystem;

// -- what is said of it -----------------------------------------------------------------------

tl::unexpected<error> file_subject::refused(std::string_view why) const {
  return fail(errc::refused,
              std::string(noun) + ' ' + quote(file.native(), 512) + ": " + std::string(why));
}

tl::unexpected<error> file_subject::trouble(std::string_view what) const {
  return fail(errc::io, std::string(noun) + ' ' + quote(file.native(), 512) + ": cannot " +
                            std::string(what) + ": " + std::strerror(errno));
}

expected<void> file_subject::is_ordinary(unsigned mode) const {
  if (S_ISREG(mode))
    return {};
  return refused(S_ISDIR(mode) ? "this is a directory" : "this is no ordinary file");
}

// -- who can change it ------------------------------------------------------------------------

namespace {

bool is_trusted(uid_t owner) { return owner == 0 || owner == ::geteuid(); }

/// A directory of others, or one that others write to, lets them exchange what is in it. With the
/// sticky bit (/tmp) they can only add to it.
expected<void> check_directory(const file_subject& of, const fs::path& dir, const struct stat& is) {
  if (!is_trusted(is.st_uid))
    return of.refused("its directory " + quote(dir.native(), 512) +
                      " belongs to another user, who could exchange it");
  if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (is.st_mode & S_ISVTX) == 0)
    return of.refused("others may write to its directory " + quote(dir.native(), 512) +
                      " and could exchange it: chmod go-w, or put it elsewhere");
  return {};
}

expected<void> check_file(const file_subject& of, const struct stat& is) {
  if (auto good = of.is_ordinary(is.st_mode); !good)
    return good;
  if (!is_trusted(is.st_uid))
    return of.refused("it belongs to another user: it must belong to root or to who runs this "
                      "process");
  if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return of.refused("others may write to it: chmod go-w");
  if (is.st_size == 0)
    return of.refused("it is empty");
  return {};
}

tl::unexpected<error> cannot_enter(const file_subject& of, const fs::path& part) {
  if (errno != ELOOP && errno != ENOTDIR)
    return of.trouble("open it");
  std::error_code none;
  const auto real = fs::canonical(of.file, none);
  return of.refused(quote(part.native(), 512) + " is a symbolic link: give the path it leads to" +
                    (none ? "" : ", " + quote(real.native(), 512)));
}

} // namespace

/// Walks the path one name at a time, so that no part of it is looked up twice.
expected<int> open_trusted(const file_subject& of) {
  const auto& file = of.file;
  if (!file.is_absolute())
    return of.refused("give its absolute path: what a relative one means depends on where the "
                      "node was started");
  for (const auto& part : file)
    if (part == ".." || part == ".")
      return of.refused("give its path without '" + part.native() + "'");
  auto here = std::make_unique<descriptor>(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  fs::path walked = "/";
  for (const auto& part : file.parent_path().relative_path()) {
    struct stat is {};
    if (::fstat(here->number(), &is) != 0)
      return of.trouble("look at its directory");
    if (auto good = check_directory(of, walked, is); !good)
      return tl::unexpected(good.error());
    walked /= part;
    auto next = std::make_unique<descriptor>(
        ::openat(here->number(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!*next)
      return cannot_enter(of, walked);
    here = std::move(next);
  }
  struct stat is {};
  if (::fstat(here->number(), &is) != 0)
    return of.trouble("look at its directory");
  if (auto good = check_directory(of, walked, is); !good)
    return tl::unexpected(good.error());
  // A FIFO would wait for a writer.
  descriptor found(::openat(here->number(), file.filename().c_str(),
                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!found)
    return cannot_enter(of, file);
  if (::fstat(found.number(), &is) != 0)
    return of.trouble("look at it");
  if (auto good = check_file(of, is); !good)
    return tl::unexpected(good.error());
  return found.release();
}

// -- what is in it ----------------------------------------------------------------------------

expected<std::string> read_whole(const file_subject& what, int from, std::size_t most) {
  std::string bytes;
  char some[65536];
  for (;;) {
    const auto got = ::read(from, some, sizeof some);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return what.trouble("read it");
    if (got == 0)
      return bytes;
    if (bytes.size() + static_cast<std::size_t>(got) > most)
      return what.refused("it is longer than " + std::to_string(most >> 20) + " MiB");
    bytes.append(some, static_cast<std::size_t>(got));
  }
}

} // namespace edupulse
