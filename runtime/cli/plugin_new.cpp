#include "runtime/cli/plugin_new.hpp"

#include "runtime/chance.hpp"
#include "runtime/cli/atomic_file.hpp"
#include "runtime/cli/plugin_templates.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <edupulse/plugin_description.hpp>
#include <fcntl.h>
#include <iostream>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace edupulse::cli {

namespace {

namespace fs = std::filesystem;

// -- names --------------------------------------------------------------------------------------

/// Targets that CMake keeps for itself.
constexpr std::array reserved{"all",        "clean",   "edit_cache",     "help",          "install",
                              "preinstall", "package", "package_source", "rebuild_cache", "test"};

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string in_camel_case(std::string_view name) {
  std::string type;
  bool upper = true;
  for (const char c : name) {
    if (c != '-')
      type += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '-';
  }
  return type;
}

/// It becomes names in C++, Cap'n Proto and CMake, too.
expected<void> check_name(const std::string& name) {
  const bool plain = detail::is_plain_name(name) && name.front() >= 'a' && name.back() != '-' &&
                     name.find("--") == std::string::npos;
  if (!plain)
    return fail(errc::invalid_option, quote(name) + " is no name for a plugin: 1 to 63 of a-z, 0-9 "
                                                    "and single -, a letter first and no - last");
  if (std::find(reserved.begin(), reserved.end(), with_underscores(name)) != reserved.end())
    return fail(errc::invalid_option,
                quote(name) + " is the name of a target of CMake's own: choose another one");
  return {};
}

std::string in_hex(std::uint64_t number) {
  std::array<char, 19> text{};
  std::snprintf(text.data(), text.size(), "0x%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

std::string filled_in(std::string_view text, const new_plugin& of) {
  const std::array<std::pair<std::string_view, std::string>, 4> places{
      {{"@NAME@", of.name},
       {"@ID@", with_underscores(of.name)},
       {"@TYPE@", in_camel_case(of.name)},
       {"@FILE_ID@", in_hex(of.file_id | std::uint64_t{1} << 63)}}}; // as Cap'n Proto wants it
  std::string result(text);
  for (const auto& [place, with] : places)
    for (auto at = result.find(place); at != std::string::npos;
         at = result.find(place, at + with.size()))
      result.replace(at, place.size(), with);
  return result;
}

// -- the folder ---------------------------------------------------------------------------------

tl::unexpected<error> trouble(const fs::path& folder, int code) {
  return fail(errc::io, quote(folder.native(), 512) + " cannot be made: " + std::strerror(code));
}
tl::unexpected<error> is_there(const fs::path& folder) {
  return fail(errc::refused, quote(folder.native(), 512) +
                                 " is there already: choose another name, or move it away");
}

/// Of another name until all is in it. Gone at the end, unless it was kept.
class draft {
public:
  explicit draft(const fs::path& place) : path_((place / ".plugin-XXXXXX").string()) {
    made_ = ::mkdtemp(path_.data()) != nullptr;
  }
  draft(const draft&) = delete;
  draft& operator=(const draft&) = delete;
  ~draft() {
    std::error_code ignored;
    if (made_)
      fs::remove_all(path_, ignored);
  }

  bool made() const { return made_; }
  fs::path path() const { return path_; }
  /// Never over what is there.
  expected<void> keep_as(const fs::path& folder) {
    const auto mask = ::umask(0);
    ::umask(mask);
    if (::chmod(path_.c_str(), 0777 & ~mask) != 0)
      return trouble(folder, errno);
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, folder.c_str(), RENAME_NOREPLACE) != 0) {
      // Some file systems cannot say `and never over it`.
      if (errno == EINVAL && !fs::exists(fs::symlink_status(folder)))
        errno = ::rename(path_.c_str(), folder.c_str()) == 0 ? 0 : errno;
      if (errno == EEXIST || errno == EINVAL)
        return is_there(folder);
      if (errno != 0)
        return trouble(folder, errno);
    }
    made_ = false;
    return {};
  }

private:
  std::string path_;
  bool made_ = false;
};

} // namespace

expected<fs::path> write_new_plugin(const new_plugin& what) {
  if (auto good = check_name(what.name); !good)
    return tl::unexpected(good.error());
  auto named = what;
  if (named.file_id == 0)
    named.file_id = draw_number();
  const auto folder = what.place / what.name;
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(folder, ignored)))
    return is_there(folder);
  draft made(what.place);
  if (!made.made())
    return trouble(folder, errno);
  const auto mask = ::umask(0);
  ::umask(mask);
  for (const auto& one : plugin_templates)
    if (auto written = write_file(made.path() / filled_in(one.file, named),
                                  filled_in(one.text, named), 0666 & ~mask, overwrite::refused);
        !written)
      return tl::unexpected(written.error());
  if (auto kept = made.keep_as(folder); !kept)
    return tl::unexpected(kept.error());
  return folder;
}

namespace {

int run_new(const new_plugin& what) {
  const auto folder = write_new_plugin(what);
  if (!folder) {
    std::cerr << "edupulse: " << folder.error().text << '\n';
    return 1;
  }
  std::cout << quote(folder->native(), 512) << " is a plugin. Go there, and:\n"
            << "  cmake -B build && cmake --build build && ctest --test-dir build\n"
            << "  edupulse plugin show build/lib" << with_underscores(what.name) << ".so\n"
            << std::flush;
  return std::cout ? 0 : 1;
}

} // namespace

void add_plugin_new(CLI::App& plugin, std::function<int()>& run) {
  const auto what = std::make_shared<new_plugin>();
  auto* verb = plugin.add_subcommand("new", "write a folder with one that builds, tests and loads");
  verb->add_option("NAME", what->name, "of the plugin, and of the folder")->required();
  verb->add_option("--in", what->place, "where the folder is made")->capture_default_str();
  verb->callback([what, &run] { run = [what] { return run_new(*what); }; });
}

} // namespace edupulse::cli
