#include "runtime/plugins/elf_file.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <optional>
#include <string>

namespace edupulse {

namespace {

using elf_header = ElfW(Ehdr);
using section_header = ElfW(Shdr);
using program_header = ElfW(Phdr);

constexpr std::string_view section_name = ".edupulse.manifest";
constexpr std::size_t manifest_max = 1u << 20;

#if defined(__x86_64__)
constexpr auto this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr auto this_machine = EM_AARCH64;
#else
#error "runtime/plugins/elf_file.cpp: add the ELF number of this machine"
#endif

tl::unexpected<error> broken(const char* where) {
  return fail(errc::refused, std::string("the file is cut or damaged: its ") + where +
                                 " lies outside of it. Build or copy it again");
}

class image {
public:
  explicit image(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::optional<std::string_view> text(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at)
      return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(bytes_.data()) + at, size);
  }
  /// Copied out: a hostile offset need not be aligned.
  template <class T> std::optional<T> at(std::size_t where) const {
    const auto raw = text(where, sizeof(T));
    if (!raw)
      return std::nullopt;
    T result;
    std::memcpy(&result, raw->data(), sizeof result);
    return result;
  }
  /// Entry `index` of a table of them.
  template <class T> std::optional<T> entry(std::size_t table, std::size_t index) const {
    if (table > bytes_.size() || index > bytes_.size() / sizeof(T))
      return std::nullopt;
    return at<T>(table + index * sizeof(T));
  }

private:
  std::span<const std::byte> bytes_;
};

expected<elf_header> read_header(const image& file) {
  const auto magic = file.text(0, SELFMAG);
  if (!magic || *magic != std::string_view(ELFMAG, SELFMAG))
    return fail(errc::refused, "this is no ELF file: a plugin is a shared library, as "
                               "edupulse_add_plugin() builds it");
  const auto header = file.at<elf_header>(0);
  if (!header)
    return broken("header");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != this_machine)
    return fail(errc::refused, "it was built for another machine than this one");
  if (header->e_type != ET_DYN)
    return fail(errc::refused, "it is an ELF file, but no shared library");
  if (header->e_shoff != 0 && header->e_shentsize != sizeof(section_header))
    return broken("table of sections");
  if (header->e_phoff != 0 && header->e_phentsize != sizeof(program_header))
    return broken("table of segments");
  return *header;
}

expected<std::size_t> find_loaded_size(const image& file, const elf_header& header,
                                       std::size_t file_size) {
  std::size_t end = header.e_phoff + header.e_phnum * sizeof(program_header);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto one = file.entry<program_header>(header.e_phoff, i);
    if (!one)
      return broken("table of segments");
    if (one->p_type != PT_LOAD)
      continue;
    if (!file.text(one->p_offset, one->p_filesz))
      return broken("loaded part");
    end = std::max<std::size_t>(end, one->p_offset + one->p_filesz);
  }
  if (end > file_size)
    return broken("loaded part");
  return end;
}

expected<std::string_view> find_manifest(const image& file, const elf_header& header) {
  const auto names = file.entry<section_header>(header.e_shoff, header.e_shstrndx);
  if (header.e_shoff == 0 || !names)
    return fail(errc::refused, "it has no table of sections, so its manifest cannot be found: it "
                               "is cut, or was stripped of too much");
  const auto all_names = file.text(names->sh_offset, names->sh_size);
  if (!all_names)
    return broken("table of section names");
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto one = file.entry<section_header>(header.e_shoff, i);
    if (!one)
      return broken("table of sections");
    if (one->sh_name >= all_names->size())
      continue;
    const auto name = all_names->substr(one->sh_name);
    if (name.substr(0, name.find('\0')) != section_name || one->sh_type == SHT_NOBITS)
      continue;
    const auto found = file.text(one->sh_offset, one->sh_size);
    if (!found)
      return broken("manifest");
    if (found->size() > manifest_max)
      return fail(errc::refused, "its manifest is larger than 1 MiB");
    return *found;
  }
  return fail(errc::refused, "it is a shared library, but no plugin: no source file of it says "
                             "EDUPULSE_PLUGIN(...)");
}

} // namespace

expected<elf_file> read_elf(std::span<const std::byte> bytes) {
  const image file(bytes);
  const auto header = read_header(file);
  if (!header)
    return tl::unexpected(header.error());
  const auto size = find_loaded_size(file, *header, bytes.size());
  if (!size)
    return tl::unexpected(size.error());
  const auto manifest = find_manifest(file, *header);
  if (!manifest)
    return tl::unexpected(manifest.error());
  return elf_file{*manifest, *size};
}

} // namespace edupulse
