// What `edupulse plugin new` writes and `edupulse plugin show` says. That what is written builds,
// tests and loads is shown by install.plugins_page.

#include "runtime/cli/plugin_new.hpp"
#include "runtime/cli/plugin_show.hpp"
#include "runtime/plugins/manifest.hpp"
#include "tests/plugins/plugin_fixture.hpp"
#include "tests/support/program.hpp"
#include <algorithm>
#include <regex>
#include <set>
#include <sys/resource.h>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::cli;
using edupulse::test::plugin_path;
using edupulse::test::scratch_dir;
namespace fs = std::filesystem;

namespace {

std::set<std::string> names_in(const fs::path& dir) {
  std::set<std::string> names;
  for (const auto& one : fs::directory_iterator(dir))
    names.insert(one.path().filename());
  return names;
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
plugin_manifest manifest_of(const std::string& json) {
  const auto read = parse_manifest(json);
  REQUIRE(read);
  return *read;
}

} // namespace

TEST_CASE("G110: a new plugin is a folder with all that it takes, in its name") {
  const scratch_dir dir;
  const auto folder = write_new_plugin({"course-counter-2", dir.path(), 0x12ab});
  REQUIRE(folder);
  CHECK(*folder == dir / "course-counter-2");
  CHECK(names_in(*folder) == std::set<std::string>{"CMakeLists.txt", "README.md",
                                                   "course_counter_2.capnp", "course_counter_2.cpp",
                                                   "course_counter_2.hpp",
                                                   "course_counter_2_test.cpp"});
  for (const auto& name : names_in(*folder)) {
    const auto text = test::read_to_end(*folder / name);
    INFO(name << ":\n" << text);
    for (const char* place : {"@NAME@", "@ID@", "@TYPE@", "@FILE_ID@"})
      CHECK_FALSE(has(text, place));
  }
  const auto schema = test::read_to_end(*folder / "course_counter_2.capnp");
  CHECK(has(schema, "@0x80000000000012ab;"));
  CHECK(has(schema, "struct CourseCounter2Noted $Event.name(\"course-counter-2.noted\")"));
  CHECK(names_in(dir.path()).size() == 1);
}

TEST_CASE("G110: two new plugins have schemas with ids of their own") {
  const scratch_dir dir;
  const auto first_line = [&](const char* name) {
    const auto folder = write_new_plugin({name, dir.path()});
    REQUIRE(folder);
    const auto text = test::read_to_end(*folder / (std::string(name) + ".capnp"));
    return text.substr(0, text.find('\n'));
  };
  CHECK(first_line("one") != first_line("two"));
}

TEST_CASE("G110: names that no file, class or target may have are refused, and nothing is made") {
  const scratch_dir dir;
  for (const std::string name : {"", "Course", "course_counter", "2nd", "-x", "x-", "a--b", "a/b",
                                 "..", "\x1b[2J", "kürs"}) {
    INFO(name);
    const auto refused = write_new_plugin({name, dir.path()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::invalid_option);
    CHECK(has(refused.error().text, "1 to 63 of a-z, 0-9 and single -"));
    CHECK_FALSE(has(refused.error().text, "\x1b"));
  }
  CHECK_FALSE(write_new_plugin({std::string(64, 'a'), dir.path()}));
  for (const char* name : {"test", "install", "edit-cache"})
    CHECK(has(write_new_plugin({name, dir.path()}).error().text, "CMake"));
  CHECK(names_in(dir.path()).empty());
  CHECK(write_new_plugin({std::string(63, 'a'), dir.path()}));
  CHECK(write_new_plugin({"class", dir.path()})); // a keyword, but nothing is called that
}

TEST_CASE("G110: what is there is left as it is") {
  const scratch_dir dir;
  fs::create_directory(dir / "empty");
  std::ofstream(dir / "file") << "mine";
  fs::create_symlink("nowhere", dir / "link");
  for (const char* name : {"empty", "file", "link"}) {
    const auto refused = write_new_plugin({name, dir.path()});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
    CHECK(has(refused.error().text, "is there already"));
  }
  CHECK(names_in(dir.path()) == std::set<std::string>{"empty", "file", "link"});
  CHECK(names_in(dir / "empty").empty());
  CHECK(test::read_to_end(dir / "file") == "mine");
}

TEST_CASE("G110: where a folder cannot be made whole, nothing is left") {
  const scratch_dir dir;
  const auto missing = write_new_plugin({"one", dir / "missing"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::io);
  CHECK(has(missing.error().text, "No such file"));
  // A limit on the size of files: the first of them cannot be written.
  const auto limited = ::fork();
  REQUIRE(limited >= 0);
  if (limited == 0) {
    const rlimit none{0, 0};
    std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &none);
    const auto refused = write_new_plugin({"two", dir.path()});
    ::_exit(!refused && refused.error().code == errc::io ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(limited, &status, 0) == limited);
  CHECK(status == 0);
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("G100: what a plugin is can be shown, and as JSON it is its manifest") {
  const auto manifest = read_plugin_manifest(plugin_path("tally_1"));
  REQUIRE(manifest);
  const auto text = plugin_text(*manifest);
  INFO(text);
  for (const char* part : {"tally 1.0.0: Counts lessons; \"quoted\"\n", "built with gcc",
                           "lesson.published", "goes to the next version", "tally.counted", "turns",
                           "integer", "of a loop, for each event"})
    if (std::string_view(part) != "built with gcc" || has(manifest->fingerprint, "gcc"))
      CHECK(has(text, part));
  CHECK(plugin_json(*manifest) == manifest->json + "\n");
}

TEST_CASE("G100: a terminal takes nothing that a manifest says for a command") {
  const auto evil = manifest_of(
      R"({"format":1,"name":"evil","version":"1","about":"\u001b]0;owned\u0007 \u009b2J )"
      "\xc2\x9b"
      R"( \u202e \ud83d\ude00 )"
      "\xf0\x9f\x98\x80"
      R"(","fingerprint":"\u001b[2J","handlers":[{"name":"h","event":"\u001bc"}],)"
      R"("publishes":["\u001b[1m"],"settings":[{"name":"s","type":"\u0007","text":"\u001b"}]})");
  const auto harmless = [](const std::string& text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); });
  };
  const auto text = plugin_text(evil);
  const auto json = plugin_json(evil);
  INFO(json);
  CHECK(has(text, "\\x1b]0;owned\\x07 \\xc2\\x9b2J \\xc2\\x9b \\xe2\\x80\\xae \xf0\x9f\x98\x80"));
  CHECK(harmless(std::regex_replace(text, std::regex("\xf0\x9f\x98\x80"), "")));
  CHECK(harmless(json));
  CHECK(has(json, R"(\u009b2J \u009b \u202e \ud83d\ude00 \ud83d\ude00)"));
  CHECK(manifest_of(json).about == evil.about);
}
