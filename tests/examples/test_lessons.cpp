#include "json_text.hpp"
#include "tests/support/catch.hpp"
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>

using namespace edupulse::search;

namespace {

std::string whole(std::istream&& in) {
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  REQUIRE(pipe);
  std::string text;
  char buffer[65536];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;)
    text.append(buffer, got);
  return text;
}

const char* const sample = EDUPULSE_SOURCE_DIR "/examples/search/lessons.jsonl";

} // namespace

TEST_CASE("sample: lessons.jsonl is what tools/make_lessons.py makes") {
  const bool same = output_of("python3 " EDUPULSE_SOURCE_DIR "/tools/make_lessons.py") ==
                    whole(std::ifstream(sample));
  INFO("run: tools/make_lessons.py > examples/search/lessons.jsonl");
  CHECK(same);
}

TEST_CASE(
    "sample: at least 1,200 lessons, each published once, before it is updated or withdrawn") {
  std::ifstream in(sample);
  std::map<std::string, std::size_t> names;
  std::set<std::string> published;
  std::set<std::string> titles;
  std::size_t quantum = 0;
  for (std::string line; std::getline(in, line);) {
    const auto event = json_document::parse(line);
    REQUIRE(event);
    const auto root = event->root();
    const std::string name = root["name"].text();
    const std::string id = root["lessonId"].text();
    ++names[name];
    CHECK_FALSE(id.empty());
    CHECK_FALSE(root["teacherId"].text().empty());
    CHECK_FALSE(root["meta"]["tenant"].text().empty());
    if (name == "lesson.published") {
      CHECK(published.insert(id).second);
      titles.insert(root["title"].text());
      const std::string body = root["body"].text();
      CHECK(std::count(body.begin(), body.end(), '.') >= 1);
      quantum += root["title"].text().find("Quantum Mechanics") != std::string::npos ? 1 : 0;
    } else {
      CHECK(published.count(id) == 1);
    }
  }
  CHECK(published.size() >= 1200);
  CHECK(titles.size() >= published.size() * 9 / 10);
  CHECK(quantum >= 5);
  CHECK(names["lesson.updated"] >= 20);
  CHECK(names["lesson.withdrawn"] >= 10);
  CHECK(names.size() == 3);
}
