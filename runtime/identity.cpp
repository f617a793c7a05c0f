// The file is one line, `<uuid> <epoch>`. It is replaced by a rename, so that a crash leaves the
// old line or the new one; and it is synced before its epoch is used, so that no epoch is used
// twice.

#include "runtime/identity.hpp"
#include "runtime/chance.hpp"
#include "runtime/descriptor.hpp"
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <limits>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace edupulse {

namespace {

tl::unexpected<error> io_failure(const std::string& doing, const std::filesystem::path& what) {
  const auto why = std::error_code(errno, std::generic_category()).message();
  return fail(errc::io, "cannot " + doing + " '" + what.string() + "': " + why);
}

node_id draw_id() {
  const auto high = draw_number();
  return make_node_id(high, draw_number());
}

constexpr std::size_t uuid_size = 36;

expected<node_identity> parse(std::string_view line, const std::filesystem::path& file) {
  const auto bad = [&] {
    return fail(errc::malformed, "'" + file.string() +
                                     "' does not hold `<uuid> <epoch>`: restore it from a backup, "
                                     "or remove it to let this node be a new one");
  };
  if (!line.empty() && line.back() == '\n')
    line.remove_suffix(1);
  if (line.size() < uuid_size + 2 || line[uuid_size] != ' ')
    return bad();
  const auto id = parse_uuid(line.substr(0, uuid_size));
  std::uint64_t epoch = 0;
  const auto* end = line.data() + line.size();
  const auto [at, trouble] = std::from_chars(line.data() + uuid_size + 1, end, epoch);
  if (!id || id->is_nil() || trouble != std::errc() || at != end || epoch == 0 ||
      epoch == std::numeric_limits<std::uint64_t>::max())
    return bad();
  return node_identity{node_id{*id}, epoch};
}

/// The last start's; an epoch of 0 when there was none.
expected<node_identity> read(const std::filesystem::path& file) {
  const descriptor from(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from && errno == ENOENT)
    return node_identity{draw_id(), 0};
  if (!from)
    return io_failure("open", file);
  std::array<char, 128> text;
  const auto size = ::read(from.number(), text.data(), text.size());
  if (size < 0)
    return io_failure("read", file);
  return parse({text.data(), static_cast<std::size_t>(size)}, file);
}

expected<void> replace(const std::filesystem::path& file, const std::string& line) {
  const auto fresh = file.string() + ".new";
  ::unlink(fresh.c_str()); // of a start that was cut off
  const descriptor to(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!to)
    return io_failure("create", fresh);
  const auto written = ::write(to.number(), line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size()) || ::fsync(to.number()) != 0)
    return io_failure("write", fresh);
  if (::rename(fresh.c_str(), file.c_str()) != 0)
    return io_failure("replace", file);
  const auto home = file.parent_path();
  const descriptor directory(::open(home.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.number()) != 0)
    return io_failure("sync", home);
  return {};
}

} // namespace

expected<void> check_data_dir(const std::filesystem::path& data_dir) {
  struct stat about;
  if (data_dir.empty() || ::stat(data_dir.c_str(), &about) != 0)
    return {}; // not there yet: it will be made
  if ((about.st_mode & S_IWOTH) != 0)
    return fail(errc::refused, "option `data_dir`: anybody may write to '" + data_dir.string() +
                                   "', and so pass for this node or change what it keeps: chmod "
                                   "o-w it");
  return {};
}

expected<node_identity> load_identity(const std::filesystem::path& data_dir) {
  if (data_dir.empty())
    return node_identity{draw_id(), 1};
  const auto file = data_dir / "node-identity";
  auto known = read(file);
  if (!known)
    return known;
  ++known->epoch;
  auto kept = replace(file, to_string(known->id) + " " + std::to_string(known->epoch) + "\n");
  if (!kept)
    return tl::unexpected<error>(kept.error());
  return known;
}

} // namespace edupulse
