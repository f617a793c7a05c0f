#include "runtime/plugins/plugin_file.hpp"

#include "runtime/plugins/elf_file.hpp"
#include "runtime/plugins/manifest.hpp"
#include "runtime/plugins/trusted_file.hpp"
#include "runtime/tls/sha256.hpp"
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

constexpr std::size_t largest_file = std::size_t{1} << 30;

struct described {
  std::string bytes;
  plugin_manifest manifest;
  std::size_t loaded_size;
};

expected<described> read_described(const file_subject& of, int from) {
  auto bytes = read_whole(of, from, largest_file);
  if (!bytes)
    return tl::unexpected(bytes.error());
  auto elf = read_elf(std::as_bytes(std::span(bytes->data(), bytes->size())));
  if (!elf)
    return of.refused(elf.error().text);
  auto manifest = parse_manifest(elf->manifest);
  if (!manifest)
    return of.refused(manifest.error().text);
  return described{std::move(*bytes), std::move(*manifest), elf->loaded_size};
}

/// Only the part that is loaded: a copy lives as long as the process.
expected<std::shared_ptr<descriptor>> private_copy(const file_subject& of, const described& what) {
  const auto name = what.manifest.name + "-" + what.manifest.version + ".so";
  auto copy = std::make_shared<descriptor>(
      ::memfd_create(name.substr(0, 200).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!*copy)
    return of.trouble("make a copy of it in memory");
  for (std::size_t done = 0; done < what.loaded_size;) {
    const auto wrote = ::write(copy->number(), what.bytes.data() + done, what.loaded_size - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return of.trouble("copy it to memory");
    done += static_cast<std::size_t>(wrote);
  }
  if (::fcntl(copy->number(), F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return of.trouble("seal its copy");
  return copy;
}

} // namespace

expected<plugin_file> plugin_file::open(const fs::path& file) {
  const file_subject of{"plugin", file};
  const auto number = open_trusted(of);
  if (!number)
    return tl::unexpected(number.error());
  const descriptor opened(*number);
  auto found = read_described(of, opened.number());
  if (!found)
    return tl::unexpected(found.error());
  auto image = private_copy(of, *found);
  if (!image)
    return tl::unexpected(image.error());
  return plugin_file{std::move(found->manifest), sha256_of(found->bytes), std::move(*image)};
}

expected<plugin_manifest> read_plugin_manifest(const fs::path& file) {
  const file_subject of{"plugin", file};
  const descriptor opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!opened)
    return of.trouble("open it");
  struct stat is {};
  if (::fstat(opened.number(), &is) != 0)
    return of.trouble("look at it");
  if (auto good = of.is_ordinary(is.st_mode); !good)
    return tl::unexpected(good.error());
  auto found = read_described(of, opened.number());
  if (!found)
    return tl::unexpected(found.error());
  return std::move(found->manifest);
}

} // namespace edupulse
