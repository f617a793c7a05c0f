// The bytes of a version of the protocol, once and for all: tests/golden/wire. Its README says how
// they are used.

#include "actors/frame_reader.hpp"
#include "actors/switchboard.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/wire_conversation.hpp"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

using namespace edupulse;
using namespace edupulse::test;

namespace {

const std::filesystem::path wire_dir =
    std::filesystem::path(EDUPULSE_SOURCE_DIR) / "tests/golden/wire";

std::filesystem::path dir_of_this_version() {
  return wire_dir / ("v" + std::to_string(switchboard::version_major) + "." +
                     std::to_string(switchboard::version_minor));
}

/// A frame as a file has it: `# title`, `= what it says`, and its bytes in hex.
struct recorded {
  std::string title;
  std::vector<std::string> words;
  frame_bytes bytes;
};

std::vector<recorded> read(const std::filesystem::path& file) {
  std::vector<recorded> all;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("# ")) {
      all.push_back({line.substr(2), {}, {}});
    } else if (line.starts_with("= ")) {
      all.back().words.push_back(line.substr(2));
    } else {
      std::istringstream numbers(line);
      for (unsigned byte = 0; numbers >> std::hex >> byte;)
        all.back().bytes.push_back(static_cast<char>(byte));
    }
  }
  return all;
}

struct decoded {
  frame_kind kind;
  std::vector<std::string> words;
};

/// Through the reader of a connection, which gets the bytes in pieces of that size.
std::vector<decoded> decode(const std::vector<recorded>& frames, std::size_t piece, node_id from) {
  frame_bytes stream;
  for (const auto& one : frames)
    stream.insert(stream.end(), one.bytes.begin(), one.bytes.end());
  std::vector<decoded> all;
  frame_reader reader(1u << 20);
  auto rest = std::as_bytes(std::span(stream));
  while (!rest.empty()) {
    const auto some = rest.first(std::min(piece, rest.size()));
    REQUIRE(reader.feed(some, [&](frame_kind kind, std::span<const std::byte> body) {
      all.push_back({kind, in_words(kind, body, from)});
      return true;
    }));
    rest = rest.subspan(some.size());
  }
  CHECK(reader.kept() == 0);
  return all;
}

void record(const said_stream& what, const std::filesystem::path& file) {
  std::ofstream out(file);
  for (const auto& [title, bytes] : what.frames) {
    out << "# " << title << '\n';
    const auto kind = static_cast<frame_kind>(bytes[4]);
    const auto body = std::as_bytes(std::span(bytes)).subspan(frame_header::size);
    for (const auto& line : in_words(kind, body, what.from))
      out << "= " << line << '\n';
    constexpr std::size_t in_line = 16;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const char* hex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(bytes[i]);
      out << hex[byte >> 4] << hex[byte & 15]
          << (i % in_line + 1 == in_line || i + 1 == bytes.size() ? '\n' : ' ');
    }
  }
  REQUIRE(out.flush().good());
}

} // namespace

TEST_CASE("the wire of this version is recorded, and today's code writes the same bytes") {
  const auto dir = dir_of_this_version();
  if (std::getenv("EDUPULSE_RECORD_WIRE") != nullptr) {
    REQUIRE(std::filesystem::create_directory(dir)); // what is there is never recorded again
    for (const auto& stream : wire_conversation())
      record(stream, dir / (stream.name + ".hex"));
  }
  for (const auto& stream : wire_conversation()) {
    const auto frames = read(dir / (stream.name + ".hex"));
    REQUIRE(frames.size() == stream.frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      INFO(stream.name << ", frame " << i + 1 << ": " << frames[i].title);
      CHECK(frames[i].title == stream.frames[i].title);
      CHECK(frames[i].bytes == stream.frames[i].bytes);
    }
  }
}

TEST_CASE("what was recorded of any version says today what it said then") {
  std::set<std::filesystem::path> dirs;
  for (const auto& one : std::filesystem::directory_iterator(wire_dir))
    if (one.is_directory())
      dirs.insert(one.path());
  CHECK(dirs.contains(dir_of_this_version()));
  for (const auto& dir : dirs)
    for (const auto& stream : wire_conversation()) {
      const auto frames = read(dir / (stream.name + ".hex"));
      for (const std::size_t piece : {std::size_t{1}, std::size_t{13}, std::size_t{65536}}) {
        const auto found = decode(frames, piece, stream.from);
        REQUIRE(found.size() == frames.size());
        for (std::size_t i = 0; i < frames.size(); ++i) {
          INFO(dir << ' ' << stream.name << ", frame " << i + 1 << ": " << frames[i].title);
          CHECK(found[i].words == frames[i].words);
        }
      }
    }
}

TEST_CASE("every kind of frame and of message is in the conversation") {
  std::set<frame_kind> kinds;
  std::set<std::string> first_words;
  for (const auto& stream : wire_conversation())
    for (const auto& one : stream.frames) {
      const auto kind = static_cast<frame_kind>(one.bytes[4]);
      kinds.insert(kind);
      const auto body = std::as_bytes(std::span(one.bytes)).subspan(frame_header::size);
      const auto said = in_words(kind, body, stream.from).front();
      first_words.insert(said.substr(0, said.find_first_of(" :")));
    }
  CHECK(kinds.size() == static_cast<std::size_t>(frame_kind::membership));
  for (const char* wanted :
       {"hello", "refusal", "resume", "taken", "numbered", "run", "ping", "ack", "nack", "gossip",
        "offer", "same", "table", "join", "refused", "leave"}) {
    INFO(wanted);
    CHECK(first_words.contains(wanted));
  }
}
