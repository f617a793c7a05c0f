#pragma once
// A unix socket at a path: where nobody but the owner may knock, and nobody living is pushed out.

#include "runtime/descriptor.hpp"
#include "schemas/error.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

namespace edupulse::control {

/// Of the process at the other end, as the kernel says.
struct credentials {
  pid_t pid = 0;
  uid_t user = 0;
};
std::optional<credentials> credentials_of(int socket);
std::string to_string(const credentials& who);

/// Connected, with `O_CLOEXEC` and non-blocking. Errors: `invalid_option` when the path is too
/// long; `not_found` when nobody is there; `io`.
expected<std::unique_ptr<descriptor>> dial(const std::filesystem::path& path);

/// Takes connections at a path until it is destroyed, and then removes it.
class listener {
public:
  /// What a dead process left is replaced. Errors: `invalid_option`, `io`, `refused`.
  static expected<std::unique_ptr<listener>> open(const std::filesystem::path& path);
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  int number() const noexcept { return socket_->number(); }
  const std::filesystem::path& path() const noexcept { return path_; }

private:
  listener(std::filesystem::path path, std::unique_ptr<descriptor> socket);

  std::filesystem::path path_;
  std::unique_ptr<descriptor> socket_;
  dev_t device_ = 0; ///< of the socket's file: another one at the path is not ours to remove
  ino_t file_ = 0;
};

} // namespace edupulse::control
