#include "runtime/plugins/plugin_file.hpp"

#include "runtime/plugins/elf_file.hpp"
#include "runtime/plugins/manifest.hpp"
#include "schemas/error.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edupulse {

namespace {

namespace fs = std::filesystem;

constexpr off_t largest_file = off_t{1} << 30;

tl::unexpected<error> refuse(const fs::path& file, const std::string& why) {
  return fail(errc::refused, "plugin " + quote(file.native(), 512) + ": " + why);
}
tl::unexpected<error> trouble(const fs::path& file, const char* what) {
  return fail(errc::io, "plugin " + quote(file.native(), 512) + ": cannot " + what + ": " +
                            std::strerror(errno));
}

// -- who can change it ------------------------------------------------------------------------

bool is_trusted(uid_t owner) { return owner == 0 || owner == ::geteuid(); }

/// A directory of others, or one that others write to, lets them exchange what is in it. With the
/// sticky bit (/tmp) they can only add to it.
expected<void> check_directory(const fs::path& file, const fs::path& dir, const struct stat& is) {
  if (!is_trusted(is.st_uid))
    return refuse(file, "its directory " + quote(dir.native(), 512) +
                            " belongs to another user, who could exchange it");
  if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (is.st_mode & S_ISVTX) == 0)
    return refuse(file, "others may write to its directory " + quote(dir.native(), 512) +
                            " and could exchange it: chmod go-w, or put it elsewhere");
  return {};
}

expected<void> check_file(const fs::path& file, const struct stat& is) {
  if (!S_ISREG(is.st_mode))
    return refuse(file, S_ISDIR(is.st_mode) ? "this is a directory" : "this is no ordinary file");
  if (!is_trusted(is.st_uid))
    return refuse(file, "it belongs to another user: it must belong to root or to who runs this "
                        "process");
  if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return refuse(file, "others may write to it: chmod go-w");
  if (is.st_size == 0)
    return refuse(file, "it is empty");
  if (is.st_size > largest_file)
    return refuse(file, "it is larger than 1 GiB");
  return {};
}

tl::unexpected<error> cannot_enter(const fs::path& file, const fs::path& part) {
  if (errno != ELOOP && errno != ENOTDIR)
    return trouble(file, "open it");
  std::error_code none;
  const auto real = fs::canonical(file, none);
  return refuse(file, quote(part.native(), 512) + " is a symbolic link: give the path it leads to" +
                          (none ? "" : ", " + quote(real.native(), 512)));
}

/// Walks the path one name at a time, so that no part of it is looked up twice.
expected<int> open_trusted(const fs::path& file) {
  if (!file.is_absolute())
    return refuse(file, "give its absolute path: what a relative one means depends on where the "
                        "node was started");
  for (const auto& part : file)
    if (part == ".." || part == ".")
      return refuse(file, "give its path without '" + part.native() + "'");
  auto here = std::make_unique<descriptor>(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  fs::path walked = "/";
  for (const auto& part : file.parent_path().relative_path()) {
    struct stat is {};
    if (::fstat(here->number(), &is) != 0)
      return trouble(file, "look at its directory");
    if (auto good = check_directory(file, walked, is); !good)
      return tl::unexpected(good.error());
    walked /= part;
    auto next = std::make_unique<descriptor>(
        ::openat(here->number(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!*next)
      return cannot_enter(file, walked);
    here = std::move(next);
  }
  struct stat is {};
  if (::fstat(here->number(), &is) != 0)
    return trouble(file, "look at its directory");
  if (auto good = check_directory(file, walked, is); !good)
    return tl::unexpected(good.error());
  // A FIFO would wait for a writer.
  descriptor found(::openat(here->number(), file.filename().c_str(),
                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!found)
    return cannot_enter(file, file);
  if (::fstat(found.number(), &is) != 0)
    return trouble(file, "look at it");
  if (auto good = check_file(file, is); !good)
    return tl::unexpected(good.error());
  return found.release();
}

// -- what is in it ----------------------------------------------------------------------------

/// Errors: errno's, as `io`.
expected<std::string> read_all(int from, const fs::path& file) {
  std::string bytes;
  char some[65536];
  for (;;) {
    const auto got = ::read(from, some, sizeof some);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return trouble(file, "read it");
    if (got == 0)
      return bytes;
    if (bytes.size() + static_cast<std::size_t>(got) > static_cast<std::size_t>(largest_file))
      return refuse(file, "it is larger than 1 GiB");
    bytes.append(some, static_cast<std::size_t>(got));
  }
}

struct described {
  std::string bytes;
  plugin_manifest manifest;
  std::size_t loaded_size;
};

expected<described> read_described(int from, const fs::path& file) {
  auto bytes = read_all(from, file);
  if (!bytes)
    return tl::unexpected(bytes.error());
  auto elf = read_elf(std::as_bytes(std::span(bytes->data(), bytes->size())));
  if (!elf)
    return refuse(file, elf.error().text);
  auto manifest = parse_manifest(elf->manifest);
  if (!manifest)
    return refuse(file, manifest.error().text);
  return described{std::move(*bytes), std::move(*manifest), elf->loaded_size};
}

/// Only the part that is loaded: a copy lives as long as the process.
expected<std::shared_ptr<descriptor>> private_copy(const described& of, const fs::path& file) {
  const auto name = of.manifest.name + "-" + of.manifest.version + ".so";
  auto copy = std::make_shared<descriptor>(
      ::memfd_create(name.substr(0, 200).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!*copy)
    return trouble(file, "make a copy of it in memory");
  for (std::size_t done = 0; done < of.loaded_size;) {
    const auto wrote = ::write(copy->number(), of.bytes.data() + done, of.loaded_size - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return trouble(file, "copy it to memory");
    done += static_cast<std::size_t>(wrote);
  }
  if (::fcntl(copy->number(), F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return trouble(file, "seal its copy");
  return copy;
}

} // namespace

expected<plugin_file> plugin_file::open(const fs::path& file) {
  const auto number = open_trusted(file);
  if (!number)
    return tl::unexpected(number.error());
  const descriptor opened(*number);
  auto found = read_described(opened.number(), file);
  if (!found)
    return tl::unexpected(found.error());
  auto image = private_copy(*found, file);
  if (!image)
    return tl::unexpected(image.error());
  return plugin_file{std::move(found->manifest), std::move(*image)};
}

expected<plugin_manifest> read_plugin_manifest(const fs::path& file) {
  const descriptor opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!opened)
    return trouble(file, "open it");
  struct stat is {};
  if (::fstat(opened.number(), &is) != 0)
    return trouble(file, "look at it");
  if (!S_ISREG(is.st_mode))
    return refuse(file, S_ISDIR(is.st_mode) ? "this is a directory" : "this is no ordinary file");
  auto found = read_described(opened.number(), file);
  if (!found)
    return tl::unexpected(found.error());
  return std::move(found->manifest);
}

} // namespace edupulse
