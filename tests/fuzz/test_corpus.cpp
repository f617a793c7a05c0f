// The saved corpus, and damaged copies of it, by seed: a short fuzzing without a fuzzer.

#include "tests/fuzz/targets.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace edupulse;
using namespace edupulse::test;

namespace {

using bytes = std::vector<std::byte>;

std::vector<bytes> corpus_of(std::string_view name) {
  std::vector<std::filesystem::path> files;
  const auto at = std::filesystem::path(EDUPULSE_SOURCE_DIR) / "tests/fuzz/corpus" / name;
  for (const auto& one : std::filesystem::directory_iterator(at))
    files.push_back(one.path());
  std::sort(files.begin(), files.end());
  std::vector<bytes> all;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto whole = std::as_bytes(std::span(text));
    all.emplace_back(whole.begin(), whole.end());
  }
  return all;
}

/// A few changes, of the kinds that find most: a byte, a word of ones, a piece gone or twice.
void damage(bytes& what, random_numbers& chance) {
  for (auto left = 1 + chance.below(4); left > 0 && !what.empty(); --left) {
    const auto at = static_cast<std::ptrdiff_t>(chance.below(what.size()));
    const auto size = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(1 + chance.below(32)),
                                               static_cast<std::ptrdiff_t>(what.size()) - at);
    switch (chance.below(5)) {
    case 0:
      what[static_cast<std::size_t>(at)] = static_cast<std::byte>(chance.next());
      break;
    case 1:
      what[static_cast<std::size_t>(at)] ^= static_cast<std::byte>(1u << chance.below(8));
      break;
    case 2:
      std::fill_n(what.begin() + at, size, static_cast<std::byte>(chance.one_in(2) ? 0xff : 0x00));
      break;
    case 3:
      what.erase(what.begin() + at, what.begin() + at + size);
      break;
    default: {
      const bytes piece(what.begin() + at, what.begin() + at + size);
      what.insert(what.begin() + at, piece.begin(), piece.end());
    }
    }
  }
}

} // namespace

TEST_CASE(
    "G69: no bytes from outside break the frame reader, the validator, membership, a hello, a "
    "plugin's file, a control request or the message of a broker") {
  random_numbers chance;
  INFO("seed " << chance.seed());
  const int rounds = std::getenv("EDUPULSE_SOAK") != nullptr ? 200'000 : 4'000;
  for (const auto& one : fuzz::all_targets) {
    const auto corpus = corpus_of(one.name);
    REQUIRE_FALSE(corpus.empty());
    for (const auto& input : corpus)
      one.run(input);
    for (int i = 0; i < rounds; ++i) {
      auto input = corpus[chance.below(corpus.size())];
      damage(input, chance);
      one.run(input);
    }
  }
}
