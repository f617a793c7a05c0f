#pragma once
// As much of an ELF file as it takes to read a plugin's manifest without loading it: nothing of the
// file runs, and every offset in it is checked before it is followed.

#include "schemas/error.hpp"
#include <cstddef>
#include <span>
#include <string_view>

namespace edupulse {

struct elf_file {
  std::string_view manifest; ///< points into the bytes that were read
  /// Where the part ends that a program loads. What lies behind it (section headers, debugging
  /// information) is of no use in a process.
  std::size_t loaded_size = 0;
};

/// `bytes`: the whole file, which may be anything. Errors: `refused`, saying what it
/// is instead of a shared library of this machine with a section `.edupulse.manifest`.
expected<elf_file> read_elf(std::span<const std::byte> bytes);

} // namespace edupulse
