#pragma once
// A directory for the files of one run.

#include <cstdlib>
#include <edupulse/event.hpp>
#include <filesystem>
#include <string>
#include <system_error>

namespace edupulse::search {

/// Gone with the run.
class temporary_place {
public:
  ~temporary_place() {
    std::error_code ignored;
    if (!path_.empty())
      std::filesystem::remove_all(path_, ignored);
  }
  /// Errors: `io`.
  expected<std::filesystem::path> make() {
    std::error_code error;
    std::string name = (std::filesystem::temp_directory_path(error) / "edupulse-search-XXXXXX");
    if (error || ::mkdtemp(name.data()) == nullptr)
      return fail(errc::io,
                  "cannot make a directory for the index (" + name + "): give a file with --index");
    path_ = name;
    return path_;
  }

private:
  std::filesystem::path path_;
};

} // namespace edupulse::search
