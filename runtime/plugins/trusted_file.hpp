#pragma once
// Files that decide what runs in this process: opened only where nobody but root and the process's
// own user can change or exchange them.

#include "schemas/error.hpp"
#include <filesystem>
#include <string>
#include <string_view>

namespace edupulse {

/// A file, as errors name it: plugin "/opt/app/libx.so". Refers to both; lives shorter.
struct file_subject {
  std::string_view noun;
  const std::filesystem::path& file;

  tl::unexpected<error> refused(std::string_view why) const;
  /// `io`, with what errno says: "cannot open it: ...".
  tl::unexpected<error> trouble(std::string_view what) const;
  /// Errors: `refused`, for what is no ordinary file.
  expected<void> is_ordinary(unsigned mode) const;
};

/// An absolute path without `..` and symbolic links, of which no part can be changed by others. The
/// caller closes the descriptor. Errors: `refused`, with what is wrong and what helps; `io`.
expected<int> open_trusted(const file_subject& what);

/// From where it stands to the end. Errors: `io`; `refused`: longer than `most` bytes.
expected<std::string> read_whole(const file_subject& what, int from, std::size_t most);

} // namespace edupulse
