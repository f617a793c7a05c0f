// Files that are no plugins for this node, and plugins that do harm.

#include "runtime/plugins/plugin_file.hpp"
#include "runtime/tls/sha256.hpp"
#include "tests/plugins/plugin_fixture.hpp"
#include <algorithm>
#include <cctype>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace edupulse;
using edupulse::test::plugin_node;
using edupulse::test::plugin_path;
using edupulse::test::scratch_dir;
using edupulse::test::trouble;
namespace fs = std::filesystem;

namespace {

std::string why_not(const fs::path& file) {
  const auto opened = plugin_file::open(file);
  return opened ? "" : opened.error().text;
}
bool says(const std::string& text, std::string_view part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return true;
}
fs::path copy_of(const std::string& plugin, const fs::path& to) {
  fs::copy_file(plugin_path(plugin), to, fs::copy_options::overwrite_existing);
  ::chmod(to.c_str(), 0644);
  return to;
}

} // namespace

TEST_CASE("G102: a plugin is loaded from an absolute path that nobody else can change") {
  const scratch_dir dir;
  const auto good = copy_of("tally_1", dir / "tally.so");
  CHECK(why_not(good).empty());
  says(why_not("tally.so"), "absolute path");
  says(why_not(dir / "../tally.so"), "without '..'");
  says(why_not(dir / "missing.so"), "No such file");

  fs::create_symlink(good, dir / "link.so");
  says(why_not(dir / "link.so"), "symbolic link");
  says(why_not(dir / "link.so"), good.native());
  fs::create_directory(dir / "real");
  copy_of("tally_1", dir / "real/tally.so");
  fs::create_directory_symlink(dir / "real", dir / "linked");
  says(why_not(dir / "linked/tally.so"), "symbolic link");

  ::chmod(good.c_str(), 0664);
  says(why_not(good), "others may write to it");
  ::chmod(good.c_str(), 0644);
  ::chmod((dir / "real").c_str(), 0777);
  says(why_not(dir / "real/tally.so"), "others may write to its directory");
  ::chmod((dir / "real").c_str(), 01777); // as /tmp: others can add, and not exchange
  CHECK(why_not(dir / "real/tally.so").empty());
  ::chmod((dir / "real").c_str(), 0755);
  if (::geteuid() == 0) {
    REQUIRE(::chown(good.c_str(), 12345, 12345) == 0);
    says(why_not(good), "belongs to another user");
    REQUIRE(::chown((dir / "real").c_str(), 12345, 12345) == 0);
    says(why_not(dir / "real/tally.so"), "belongs to another user");
  } else {
    WARN("not root: files of other users are not tried");
  }
}

TEST_CASE("G102: what is no plugin is refused with what it is") {
  const scratch_dir dir;
  fs::create_directory(dir / "folder.so");
  says(why_not(dir / "folder.so"), "directory");
  REQUIRE(::mkfifo((dir / "pipe.so").c_str(), 0600) == 0);
  says(why_not(dir / "pipe.so"), "no ordinary file");
  std::ofstream(dir / "empty.so").flush();
  says(why_not(dir / "empty.so"), "empty");
  std::ofstream(dir / "text.so") << "int main() {}\n";
  says(why_not(dir / "text.so"), "no ELF file");
  says(why_not(copy_of("no_plugin", dir / "library.so")), "EDUPULSE_PLUGIN");
  fs::copy_file(PROBE, dir / "program.so"); // a position-independent one is an ELF library, too
  says(why_not(dir / "program.so"), "plugin");
  const auto cut = copy_of("tally_1", dir / "cut.so");
  fs::resize_file(cut, fs::file_size(cut) / 2);
  says(why_not(cut), "cut");
}

TEST_CASE("G101: a plugin that was built with something else is refused, and none of it runs") {
  const scratch_dir dir;
  const auto file = copy_of("unruly_crashes", dir / "other.so");
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string all{std::istreambuf_iterator<char>(bytes), {}};
    const std::string_view part = "; edupulse ";
    for (auto at = all.find(part); at != std::string::npos; at = all.find(part, at + 1)) {
      bytes.seekp(static_cast<std::streamoff>(at + part.size()));
      bytes << '9'; // "edupulse 9.1.0"
    }
  }
  plugin_node n;
  const auto refused = n.plugins.load(file, {});
  REQUIRE_FALSE(refused);
  says(refused.error().text, "edupulse 9");
  says(refused.error().text, "build it again");
}

TEST_CASE("G102: with a list of what is allowed, nothing else is loaded or swapped in") {
  const scratch_dir dir;
  const auto list = dir / "allowed";
  const auto write = [&](const std::string& text) { std::ofstream(list) << text; };
  const auto digest = plugin_file::open(plugin_path("tally_1"))->sha256;
  CHECK(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  plugin_node n;
  auto strict = plugin_host::open(n.at, {.probe = PROBE, .allowed = list});
  const auto why = [&](const fs::path& file) { return trouble(strict->load(file, {})); };

  says(why(plugin_path("tally_1")), "cannot open it"); // there is no list
  write("# those of the school\n\n" + std::string(64, '0') + "  other.so\n");
  says(why(plugin_path("tally_1")), digest);
  says(trouble(load_plugin(plugin_path("tally_1"), {}, {.probe = PROBE, .allowed = list})), digest);
  for (const auto& line : std::vector<std::string>{"tally_1.so", digest.substr(1), digest + "0",
                                                   digest + "x  tally_1.so"}) {
    write(line + "\n" + digest + "  libtally_1.so\n");
    says(why(plugin_path("tally_1")), "line 1 is none of sha256sum");
  }
  write("\\" + digest + "  lib\\\\tally_1.so\n"); // a name that sha256sum has to escape
  ::chmod(list.c_str(), 0666);
  says(why(plugin_path("tally_1")), "others may write to it");
  ::chmod(list.c_str(), 0644);
  CHECK(why(plugin_path("tally_1")) == "");
  says(trouble(strict->swap("tally", plugin_path("tally_2"), {})), "is not in it");
  std::string upper = plugin_file::open(plugin_path("tally_2"))->sha256;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  write(upper + "\n");
  CHECK(trouble(strict->swap("tally", plugin_path("tally_2"), {})) == "");
}

TEST_CASE("G101: a plugin of another compiler is refused by the compiler's name") {
  if (!fs::exists(fs::path(PLUGIN_DIR) / "libtally_foreign.so")) {
    WARN("there is no compiler but the one that built this (clang++ or g++): skipped");
    return;
  }
#ifdef __clang__
  const char* const own = "clang ";
  const char* const other = "gcc ";
#else
  const char* const own = "gcc ";
  const char* const other = "clang ";
#endif
  const auto file = plugin_path("tally_foreign");
  const auto manifest = read_plugin_manifest(file);
  REQUIRE(trouble(manifest) == "");
  CHECK(manifest->version == "9.0.0");
  plugin_node n;
  const auto refused = n.plugins.load(file, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  says(refused.error().text, std::string("it was built with \"") + other);
  says(refused.error().text, std::string("and this node with \"") + own);
  REQUIRE(trouble(n.plugins.load(plugin_path("tally_1"), {})) == "");
  CHECK(n.plugins.swap("tally", file, {}).error().text == refused.error().text);
}

TEST_CASE("G103: a plugin whose static constructors throw, exit, crash or hang harms nobody") {
  plugin_node n;
  auto patient =
      plugin_host::open(n.at, {.probe = PROBE, .probe_patience = std::chrono::seconds(1)});
  const auto why = [&](const char* name) {
    INFO(name);
    const auto refused = patient->load(plugin_path(name), {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
    return refused.error().text;
  };
  says(why("unruly_throws"), "Aborted");
  says(why("unruly_exits"), "calls exit()");
  says(why("unruly_crashes"), "Segmentation fault");
  says(why("unruly_hangs"), "hangs");
  says(why("unruly_misses"), "edupulse_test_no_such_function");
  CHECK(patient->list().empty());
  CHECK(patient->load(plugin_path("tally_1"), {}));
}

TEST_CASE("G102: a plugin's file may be overwritten while it is loaded") {
  const scratch_dir dir;
  const auto file = copy_of("tally_1", dir / "tally.so");
  plugin_node n;
  REQUIRE(trouble(n.plugins.load(file, {})) == "");
  n.publish("a", 1);
  n.await(1);
  std::ofstream(file, std::ios::binary) << std::string(fs::file_size(file), '\0');
  n.publish("a", 2);
  n.await(2);
  CHECK(n.all().back().count == 2);
}
