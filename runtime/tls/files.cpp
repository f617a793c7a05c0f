#include "runtime/tls/files.hpp"
#include "runtime/descriptor.hpp"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edupulse {
namespace {

/// A CRL of a hundred thousand certificates has about 4 MiB.
constexpr std::int64_t max_file_bytes = 16 << 20;

/// Does not wait for the writer of a named pipe.
int open_to_read(const std::filesystem::path& file) {
  return ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

std::int64_t nanoseconds(const timespec& when) {
  return static_cast<std::int64_t>(when.tv_sec) * 1'000'000'000 + when.tv_nsec;
}

file_stamp stamp_of(const struct stat& status) {
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
          static_cast<std::int64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

tl::unexpected<error> unreadable(const std::string& label, int code) {
  const char* hint = code == ENOENT   ? "write it there, or correct the path"
                     : code == EACCES ? "make it readable for the user of this process"
                                      : "look at its disk and the system's log";
  return fail(errc::io, label + " cannot be read: " + std::strerror(code) + ": " + hint);
}

expected<void> check_status(const struct stat& status, const std::string& label,
                            const std::filesystem::path& file, secrecy mode) {
  if (!S_ISREG(status.st_mode))
    return fail(errc::io, label + " is not an ordinary file: correct the path");
  if (status.st_size > max_file_bytes)
    return fail(errc::too_large, label + " has " + std::to_string(status.st_size) +
                                     " bytes, more than " + std::to_string(max_file_bytes) +
                                     ": is it the right file?");
  if (mode == secrecy::owner_only && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    char octal[8];
    std::snprintf(octal, sizeof octal, "%04o", static_cast<unsigned>(status.st_mode & 07777U));
    return fail(errc::refused, label + " may be used by others than its owner (mode " + octal +
                                   "): chmod 600 " + file.string());
  }
  if ((status.st_mode & S_IWOTH) != 0)
    return fail(errc::refused,
                label + " may be changed by anybody, who could let anybody in: chmod o-w " +
                    file.string());
  return {};
}

} // namespace

file_stamp stamp_of(const std::filesystem::path& file) noexcept {
  struct stat status;
  return ::stat(file.c_str(), &status) == 0 ? stamp_of(status) : file_stamp{};
}

expected<tls_file> tls_file::read(const std::filesystem::path& file, std::string_view what,
                                  secrecy mode) {
  tls_file result;
  result.label_ = std::string(what) + " " + file.string();
  const descriptor in(open_to_read(file));
  struct stat status;
  if (in.number() < 0 || ::fstat(in.number(), &status) != 0)
    return unreadable(result.label_, errno);
  if (auto good = check_status(status, result.label_, file, mode); !good)
    return tl::unexpected(good.error());
  result.stamp_ = stamp_of(status);
  // In one piece, so that no copy of a key is left behind by a growing string.
  result.text_.resize(static_cast<std::size_t>(status.st_size));
  std::size_t have = 0;
  while (have < result.text_.size()) {
    const auto got = ::read(in.number(), result.text_.data() + have, result.text_.size() - have);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return unreadable(result.label_, errno);
    if (got == 0)
      break; // it was shortened meanwhile: what is there shows as damaged
    have += static_cast<std::size_t>(got);
  }
  result.text_.resize(have);
  return result;
}

tls_file::~tls_file() {
  if (!text_.empty())
    OPENSSL_cleanse(text_.data(), text_.size());
}

} // namespace edupulse
