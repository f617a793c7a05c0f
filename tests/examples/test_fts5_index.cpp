#include "examples/search/fts5_index.hpp"
#include "tests/examples/other_writer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch_dir.hpp"
#include <fstream>

using namespace edupulse;
using namespace edupulse::search;
using edupulse::test::other_writer;
using edupulse::test::scratch_dir;
using kind = outcome::kind;

namespace {

fts5_options quick(const std::filesystem::path& file) {
  fts5_options options;
  options.file = file;
  options.busy_timeout = std::chrono::milliseconds(0);
  return options;
}

change put(std::string id, std::string title, std::string body = {}) {
  return {change::kind::put, std::move(id), "amara.okafor", std::move(title), std::move(body)};
}

change withdraw(std::string id) { return {change::kind::withdraw, std::move(id)}; }

std::vector<std::string> ids(const expected<std::vector<hit>>& hits) {
  REQUIRE(hits);
  std::vector<std::string> result;
  for (const hit& each : *hits)
    result.push_back(each.lesson_id);
  return result;
}

bool all(const std::vector<outcome>& outcomes, kind what) {
  for (const outcome& each : outcomes)
    if (each.what() != what)
      return false;
  return !outcomes.empty();
}

} // namespace

TEST_CASE("FTS5 index: the lesson with the words in its title comes first") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  const std::vector<change> batch = {
      put("a", "Philosophy of Mind", "A remark on quantum mechanics, and much else."),
      put("b", "Quantum Mechanics 101", "Waves and particles."),
      put("c", "Car Mechanics", "Engines."), put("d", "Bread", "Flour and water.")};
  CHECK(all(index.apply(batch), kind::ok));
  CHECK(ids(index.find("quantum mechanics", 10)) == std::vector<std::string>{"b", "a"});
  CHECK(ids(index.find("quantum mechanics", 1)) == std::vector<std::string>{"b"});
  const auto hits = index.find("quantum mechanics", 10);
  CHECK(hits->front().title == "Quantum Mechanics 101");
  CHECK(hits->at(0).score > hits->at(1).score);
}

TEST_CASE("FTS5 index: when no lesson has all words, lessons with some of them are found") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  index.apply(std::vector<change>{put("a", "Quantum Computing"), put("b", "Bread")});
  CHECK(ids(index.find("quantum gardening", 10)) == std::vector<std::string>{"a"});
}

TEST_CASE("FTS5 index: an accent or another ending of a word does not hide a lesson") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  index.apply(std::vector<change>{put("a", "The Schr\u00f6dinger Equation")});
  CHECK(ids(index.find("schrodinger equations", 10)) == std::vector<std::string>{"a"});
}

TEST_CASE("FTS5 index: what people type is words and never syntax") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  index.apply(std::vector<change>{put("a", "C and \"quotes\" NEAR OR AND NOT")});
  for (const char* query : {"\"", "quotes\"", "NEAR(", "a AND", "title:quotes", "*", "^a", "-",
                            "()", "OR", "';DROP TABLE texts;--", "\xff\xfe"})
    CHECK(index.find(query, 10));
  CHECK(ids(index.find("", 10)).empty());
  CHECK(ids(index.find("  \t ", 10)).empty());
  CHECK(ids(index.find("NOT quotes", 10)) == std::vector<std::string>{"a"});
}

TEST_CASE("FTS5 index: doing a change twice is doing it once") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  for (int i = 0; i < 2; ++i) {
    CHECK(all(index.apply(std::vector<change>{put("a", "Algebra")}), kind::ok));
    CHECK(index.count().value() == 1);
  }
  CHECK(all(index.apply(std::vector<change>{put("a", "Geometry")}), kind::ok));
  CHECK(ids(index.find("algebra", 10)).empty());
  CHECK(ids(index.find("geometry", 10)) == std::vector<std::string>{"a"});
  for (int i = 0; i < 2; ++i) {
    CHECK(all(index.apply(std::vector<change>{withdraw("a")}), kind::ok));
    CHECK(index.count().value() == 0);
  }
}

TEST_CASE("FTS5 index: the changes of a batch are carried out in their order") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  index.apply(std::vector<change>{put("a", "One"), put("a", "Two"), withdraw("b"),
                                  put("b", "Three"), put("c", "Four"), withdraw("c")});
  CHECK(ids(index.find("one", 10)).empty());
  CHECK(ids(index.find("two", 10)) == std::vector<std::string>{"a"});
  CHECK(ids(index.find("three", 10)) == std::vector<std::string>{"b"});
  CHECK(ids(index.find("four", 10)).empty());
}

TEST_CASE("FTS5 index: a lesson without an id is rejected, its neighbours are indexed") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  const auto outcomes =
      index.apply(std::vector<change>{put("a", "Algebra"), put("", "Nobody"), put("b", "Biology")});
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].is_ok());
  CHECK(outcomes[1].what() == kind::reject);
  CHECK(outcomes[2].is_ok());
  CHECK(index.count().value() == 2);
}

TEST_CASE("FTS5 index: what was indexed is there when the file is opened again") {
  scratch_dir dir;
  {
    fts5_index index(quick(dir / "index"));
    index.apply(std::vector<change>{put("a", "Algebra")});
  }
  fts5_index again(quick(dir / "index"));
  CHECK(ids(again.find("algebra", 10)) == std::vector<std::string>{"a"});
}

// -- bad days ---------------------------------------------------------------------------

TEST_CASE("FTS5 index: locked by another process it is unavailable, and goes on after") {
  scratch_dir dir;
  fts5_index index(quick(dir / "index"));
  index.apply(std::vector<change>{put("a", "Algebra")});
  const std::vector<change> batch = {put("b", "Biology"), withdraw("a")};
  {
    other_writer other(dir / "index");
    other.run("BEGIN IMMEDIATE");
    const auto outcomes = index.apply(batch);
    REQUIRE(outcomes.size() == 2);
    CHECK(all(outcomes, kind::unavailable));
    CHECK_THAT(std::string(outcomes[0].reason()), Catch::Contains("another process"));
    CHECK(ids(index.find("algebra", 10)) == std::vector<std::string>{"a"}); // as before
  }
  CHECK(all(index.apply(batch), kind::ok));
  CHECK(ids(index.find("biology", 10)) == std::vector<std::string>{"b"});
}

TEST_CASE("FTS5 index: read-only it is unavailable, and still answers queries") {
  scratch_dir dir;
  fts5_index(quick(dir / "index")).apply(std::vector<change>{put("a", "Algebra")});
  auto options = quick(dir / "index");
  options.read_only = true; // what SQLite falls back to for a file that may not be written
  fts5_index index(options);
  const auto outcomes = index.apply(std::vector<change>{put("b", "Biology")});
  CHECK(all(outcomes, kind::unavailable));
  CHECK_THAT(std::string(outcomes[0].reason()), Catch::Contains("writable"));
  CHECK(ids(index.find("algebra", 10)) == std::vector<std::string>{"a"});
  CHECK(index.count().value() == 1);
}

TEST_CASE("FTS5 index: on a full disk the batch is unavailable as a whole, what was there stays") {
  scratch_dir dir;
  auto options = quick(dir / "index");
  options.max_pages = 24;
  fts5_index index(options);
  std::size_t indexed = 0;
  bool full = false;
  for (int batch = 0; batch < 200 && !full; ++batch) {
    std::vector<change> changes;
    for (int i = 0; i < 5; ++i) {
      std::string body;
      for (int word = 0; word < 100; ++word)
        body += " w" + std::to_string(batch * 1000 + i * 100 + word);
      changes.push_back(put("l" + std::to_string(batch * 5 + i), "Lesson", body));
    }
    const auto outcomes = index.apply(changes);
    REQUIRE(outcomes.size() == changes.size());
    full = !all(outcomes, kind::ok);
    if (!full) {
      indexed += changes.size();
    } else {
      CHECK(all(outcomes, kind::unavailable));
      CHECK_THAT(std::string(outcomes[0].reason()), Catch::Contains("free some space"));
    }
  }
  CHECK(full);
  CHECK(indexed > 0);
  CHECK(index.count().value() == indexed);

  options.max_pages = 0; // somebody has freed some space
  fts5_index roomy(options);
  CHECK(all(roomy.apply(std::vector<change>{put("last", "Last")}), kind::ok));
  CHECK(roomy.count().value() == indexed + 1);
}

TEST_CASE("FTS5 index: a directory that is not there makes it unavailable until it is") {
  scratch_dir dir;
  fts5_index index(quick(dir / "later" / "index"));
  const std::vector<change> batch = {put("a", "Algebra")};
  CHECK(all(index.apply(batch), kind::unavailable));
  CHECK_FALSE(index.find("algebra", 10));
  std::filesystem::create_directory(dir / "later");
  CHECK(all(index.apply(batch), kind::ok));
  CHECK(ids(index.find("algebra", 10)) == std::vector<std::string>{"a"});
}

TEST_CASE("FTS5 index: a file that is no database is unavailable and left as it is") {
  scratch_dir dir;
  const std::string text(5000, 'x');
  std::ofstream(dir / "index") << text;
  fts5_index index(quick(dir / "index"));
  const auto outcomes = index.apply(std::vector<change>{put("a", "Algebra")});
  CHECK(all(outcomes, kind::unavailable));
  CHECK_THAT(std::string(outcomes[0].reason()), Catch::Contains("delete the file"));
  std::ifstream back(dir / "index");
  CHECK(std::string(std::istreambuf_iterator<char>(back), {}) == text);
}
