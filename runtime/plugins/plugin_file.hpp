#pragma once
// A plugin's file on its way into the process: found safe to load, opened once, read from that
// descriptor, and copied to memory that nobody can change. What happens to the file afterwards
// (`cp` over it, `mv`, `rm`) is of no consequence.

#include "runtime/descriptor.hpp"
#include <edupulse/plugin_host.hpp>
#include <filesystem>
#include <memory>

namespace edupulse {

struct plugin_file {
  plugin_manifest manifest;
  std::string sha256; ///< of the whole file, as sha256sum prints it
  /// The part that is loaded, sealed. Lives while a process has it mapped.
  std::shared_ptr<descriptor> image;

  /// Errors: `refused`, saying why; `io`.
  static expected<plugin_file> open(const std::filesystem::path& file);
};

} // namespace edupulse
