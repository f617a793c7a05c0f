// A node keeps its id and never uses an epoch twice.

#include "runtime/identity.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch_dir.hpp"
#include <edupulse/node.hpp>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace edupulse;
using namespace edupulse::test;

namespace {
void write_file(const std::filesystem::path& to, std::string_view text) {
  std::ofstream(to, std::ios::binary) << text;
}
std::string read_file(const std::filesystem::path& from) {
  std::ostringstream text;
  text << std::ifstream(from, std::ios::binary).rdbuf();
  return text.str();
}
} // namespace

TEST_CASE("G21: a node with a data directory has the same id at every start, and a new epoch") {
  scratch_dir home;
  node_id id;
  for (std::uint64_t start = 1; start <= 3; ++start) {
    auto at = node::start({.data_dir = home.path(), .log = log_level::off}).value();
    if (start == 1)
      id = at.id();
    CHECK(at.id() == id);
    CHECK(at.epoch() == start);
    CHECK_FALSE(id.is_nil());
  }
}

TEST_CASE("without a data directory every start is another node") {
  auto one = node::start({.log = log_level::off}).value();
  auto two = node::start({.log = log_level::off}).value();
  CHECK_FALSE(one.id() == two.id());
  CHECK(one.epoch() == 1);
}

TEST_CASE("G21: an identity that makes no sense is refused, named, and left as it was") {
  const std::string good = "01234567-89ab-4cde-8f01-23456789abcd";
  const std::vector<std::string> senseless{"",
                                           "garbage",
                                           good,
                                           good + " ",
                                           good + " 0",
                                           good + " -1",
                                           good + " 1x",
                                           good + " 18446744073709551615",
                                           good + " 99999999999999999999",
                                           "00000000-0000-0000-0000-000000000000 1",
                                           "x" + good.substr(1) + " 1",
                                           good + " 1\n\n",
                                           std::string(4096, '7'),
                                           std::string("\0\0\0\0", 4)};
  for (const auto& text : senseless) {
    INFO(text);
    scratch_dir home;
    write_file(home / "node-identity", text);
    const auto read = load_identity(home.path());
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::malformed);
    CHECK(read.error().text.find("node-identity") != std::string::npos);
    CHECK(read_file(home / "node-identity") == text);
  }
}

TEST_CASE("G21: an epoch that cannot be written is not used") {
  scratch_dir home;
  REQUIRE(load_identity(home.path()));
  std::filesystem::create_directory(home / "node-identity.new"); // where the new one would go
  const auto again = load_identity(home.path());
  REQUIRE_FALSE(again);
  CHECK(again.error().code == errc::io);
  std::filesystem::remove(home / "node-identity.new");
  CHECK(load_identity(home.path())->epoch == 2);
}

TEST_CASE("G21: a half-written file of a start that was cut off does not matter") {
  scratch_dir home;
  const auto first = load_identity(home.path());
  write_file(home / "node-identity.new", "01234567-89ab");
  const auto second = load_identity(home.path());
  REQUIRE(second);
  CHECK(second->id == first->id);
  CHECK(second->epoch == 2);
  struct stat about {};
  REQUIRE(::stat((home / "node-identity").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE("an identity is not read through a symbolic link") {
  scratch_dir home;
  write_file(home / "elsewhere", "01234567-89ab-4cde-8f01-23456789abcd 7\n");
  std::filesystem::create_symlink(home / "elsewhere", home / "node-identity");
  CHECK_FALSE(load_identity(home.path()));
  CHECK(read_file(home / "elsewhere") == "01234567-89ab-4cde-8f01-23456789abcd 7\n");
}

TEST_CASE("G21: a data directory that anybody may write to is refused, and named") {
  scratch_dir home;
  REQUIRE(::chmod(home.path().c_str(), 0777) == 0);
  const auto refused = node::start({.data_dir = home.path(), .log = log_level::off});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::refused);
  CHECK(refused.error().text.find(home.path().string()) != std::string::npos);
  CHECK(std::filesystem::is_empty(home.path()));
  REQUIRE(::chmod(home.path().c_str(), 0770) == 0);
  CHECK(node::start({.data_dir = home.path(), .log = log_level::off}));
}
