#pragma once
// Reading the small files of TLS, and noticing that they were replaced.

#include "schemas/error.hpp"
#include <cstdint>
#include <filesystem>
#include <string>

namespace edupulse {

/// Changes when a file is written, replaced or given another mode.
struct file_stamp {
  std::uint64_t device = 0;
  std::uint64_t number = 0; ///< of the inode
  std::int64_t size = -1;   ///< -1: there is no such file
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;

  friend bool operator==(const file_stamp&, const file_stamp&) = default;
};
file_stamp stamp_of(const std::filesystem::path& file) noexcept;

enum class secrecy : std::uint8_t { none, owner_only };

/// The text is wiped from memory at the end: it may be a key.
class tls_file {
public:
  /// `what` begins every error: "key". Errors: `io` when it cannot be read or is no ordinary file,
  /// `too_large` above 16 MiB, `refused` when anybody may change it, or others than its owner may
  /// use a secret one.
  static expected<tls_file> read(const std::filesystem::path& file, std::string_view what,
                                 secrecy mode = secrecy::none);
  tls_file(tls_file&&) noexcept = default;
  tls_file& operator=(tls_file&&) = delete;
  ~tls_file();

  std::string_view text() const noexcept { return text_; }
  /// As errors name it: "key /etc/edupulse/node.key".
  std::string_view label() const noexcept { return label_; }
  /// Taken before the text was read, so that a later change is seen.
  const file_stamp& stamp() const noexcept { return stamp_; }

private:
  tls_file() = default;

  std::string text_;
  std::string label_;
  file_stamp stamp_;
};

} // namespace edupulse
