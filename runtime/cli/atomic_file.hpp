#pragma once
// Files that are there whole or not at all, and are not written over by mistake.

#include "schemas/error.hpp"
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <sys/types.h>

namespace edupulse::cli {

enum class overwrite : std::uint8_t { refused, allowed };

/// Written to a new file beside it, synced, then renamed. Errors: `refused` when it exists and may
/// not be replaced, `io` otherwise.
expected<void> write_file(const std::filesystem::path& file, std::string_view text, mode_t mode,
                          overwrite when_there);

/// Made with its parents if need be, for its owner only; one that exists is left as it is.
expected<void> make_directory(const std::filesystem::path& directory);

/// Keeps other processes that ask for it out of a directory, as long as it lives.
class directory_lock {
public:
  /// Waits. Errors: `io`.
  static expected<directory_lock> take(const std::filesystem::path& directory);
  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

private:
  explicit directory_lock(int file) : file_(file) {}
  int file_;
};

} // namespace edupulse::cli
