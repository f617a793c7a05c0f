// What a plugin's file says without being loaded: anything may be in it.

#include "runtime/plugins/elf_file.hpp"
#include "runtime/plugins/manifest.hpp"
#include "runtime/plugins/plugin_code.hpp"
#include "tests/plugins/plugin_fixture.hpp"
#include "tests/support/seed.hpp"
#include <cstring>
#include <fstream>
#include <link.h>

using namespace edupulse;
using edupulse::test::plugin_path;
using edupulse::test::trouble;

namespace {

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
expected<elf_file> read(const std::string& bytes) {
  return read_elf(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

} // namespace

TEST_CASE("G100: a manifest says of a plugin what its source says, without loading it") {
  const auto manifest = read_plugin_manifest(plugin_path("tally_1"));
  REQUIRE(manifest);
  CHECK(manifest->name == "tally");
  CHECK(manifest->version == "1.0.0");
  CHECK(manifest->about == "Counts lessons; \"quoted\"");
  CHECK(manifest->fingerprint == plugin_fingerprint);
  REQUIRE(manifest->handlers.size() == 1);
  CHECK(manifest->handlers[0].name == "counter");
  CHECK(manifest->handlers[0].event == "lesson.published");
  CHECK(manifest->handlers[0].hands_over);
  CHECK(manifest->publishes == std::vector<std::string>{"tally.counted"});
  REQUIRE(manifest->settings.size() == 4);
  CHECK(manifest->settings[0].type == "integer");
  CHECK(manifest->settings[0].by_default == "0");
  CHECK(manifest->settings[1].by_default == "none");
  CHECK(manifest->settings[2].by_default == "0.5");
  CHECK(manifest->settings[3].by_default == "false");
  // The constructors of these do harm.
  CHECK(read_plugin_manifest(plugin_path("unruly_exits")));
  CHECK(read_plugin_manifest(plugin_path("unruly_hangs")));
}

TEST_CASE("G100: a manifest cut at any byte is refused with a sentence") {
  const auto whole = read_plugin_manifest(plugin_path("tally_1"))->json;
  REQUIRE(parse_manifest(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = parse_manifest(std::string_view(whole).substr(0, size));
    REQUIRE_FALSE(cut);
    REQUIRE(cut.error().code == errc::refused);
    REQUIRE(cut.error().text.starts_with("its manifest "));
  }
}

TEST_CASE("G100: a manifest with names that a terminal or a path would follow is refused") {
  const auto with_name = [](const std::string& name) {
    return parse_manifest(R"({"format":1,"name":")" + name + R"(","version":"1.0.0"})");
  };
  CHECK(with_name("good-name"));
  for (const char* bad : {"", "../up", "a b", "a\\u001b[2J", "A", "-rf", "a\\u0000", "\xc3\xa9"})
    CHECK_FALSE(with_name(bad));
  CHECK_FALSE(with_name(std::string(64, 'a')));
  CHECK_FALSE(parse_manifest(R"({"format":2,"name":"a","version":"1.0.0"})"));
  CHECK_FALSE(parse_manifest(R"({"format":1,"name":"a","version":"1.0.0; rm"})"));
  CHECK_FALSE(parse_manifest(
      R"({"format":1,"name":"a","version":"1","handlers":[{"name":"a\u001b[0m"}]})"));
  CHECK_FALSE(parse_manifest("[]"));
  CHECK_FALSE(parse_manifest("{\"format\":1,\"name\":\"\xff\",\"version\":\"1\"}"));
}

TEST_CASE("G100: a library cut at any byte is refused, and nothing is read beyond it") {
  const auto whole = bytes_of(plugin_path("tally_1"));
  const auto read_whole = read(whole);
  REQUIRE(read_whole);
  CHECK(read_whole->loaded_size < whole.size());
  for (std::size_t size = 0; size < whole.size(); size += size < 4096 ? 1 : 4093) {
    const auto cut = read(std::string(whole, 0, size)); // a copy: a sanitizer sees its end
    REQUIRE_FALSE(cut);
    REQUIRE(cut.error().code == errc::refused);
  }
}

TEST_CASE("G100: a manifest of more than 1 MiB is refused, wherever it lies in the file") {
  auto bytes = bytes_of(plugin_path("tally_1"));
  const auto manifest = read(bytes)->manifest;
  ElfW(Ehdr) header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto offset = static_cast<std::size_t>(manifest.data() - bytes.data());
  const auto set_size = [&](std::size_t size) {
    for (std::size_t i = 0; i < header.e_shnum; ++i) {
      ElfW(Shdr) section;
      const auto at = bytes.data() + header.e_shoff + i * sizeof section;
      std::memcpy(&section, at, sizeof section);
      if (section.sh_offset != offset)
        continue;
      section.sh_size = size;
      std::memcpy(at, &section, sizeof section);
    }
  };
  bytes.resize(bytes.size() + (2u << 20));
  set_size(1u << 20);
  CHECK(read(bytes)->manifest.size() == 1u << 20);
  set_size((1u << 20) + 1);
  CHECK(read(bytes).error().text.find("larger than 1 MiB") != std::string::npos);
  set_size(bytes.size() - offset + 1);
  CHECK(read(bytes).error().text.find("lies outside of it") != std::string::npos);
}

TEST_CASE("G100: damage anywhere in the tables of a library is followed nowhere outside of it") {
  const auto whole = bytes_of(plugin_path("tally_1"));
  edupulse::test::random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  const auto tables = whole.size() - 64 * 64; // the section headers are at the end
  for (int i = 0; i < 2000; ++i) {
    auto damaged = whole;
    for (int j = 0; j < 4; ++j) {
      const auto at = chance.one_in(2) ? chance.below(std::size_t{1024})
                                       : tables + chance.below(std::size_t{64 * 64});
      damaged[at] = static_cast<char>(chance.below(256));
    }
    if (const auto found = read(damaged)) {
      REQUIRE(found->loaded_size <= damaged.size());
      REQUIRE(found->manifest.data() >= damaged.data());
      REQUIRE(found->manifest.data() + found->manifest.size() <= damaged.data() + damaged.size());
    }
  }
}

TEST_CASE("G101: a fingerprint that differs is refused with the parts that differ") {
  CHECK(check_fingerprint(plugin_fingerprint));
  auto other = std::string(plugin_fingerprint);
  other.replace(other.find("capnp "), 6, "capnp 9");
  const auto refused = check_fingerprint(other);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("capnp 9") != std::string::npos);
  CHECK(refused.error().text.find("libstdc++") == std::string::npos);
  CHECK_FALSE(check_fingerprint(""));
  CHECK_FALSE(check_fingerprint("\x1b[2J"));
}
