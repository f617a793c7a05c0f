// `edupulse plugin verify`: what a handler must be able to live with.

#include "tests/plugins/plugin_fixture.hpp"
#include "tests/support/program.hpp"

using edupulse::test::plugin_path;
using edupulse::test::program;

namespace {

struct verdict {
  int code;
  std::string text;
};
verdict verify(const std::string& plugin, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"plugin", "verify", plugin_path(plugin).native()});
  program tool(TOOL, more);
  const int code = tool.wait();
  return {code, tool.output() + tool.errors()};
}
void check_says(const std::string& text, std::string_view part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

} // namespace

TEST_CASE("G111: verify finds a handler that does another thing when an event comes twice") {
  const auto counting = verify("tally_7_also"); // it counts what it is given
  CHECK(counting.code == 1);
  check_says(counting.text, "FAIL counter: ");
  check_says(counting.text, "delivered twice");
  check_says(counting.text, "ok   also: 9 events");
}

TEST_CASE("G111: verify passes a handler that does the same, whatever happens to it") {
  const auto good = verify("fatal_2");
  CHECK(good.code == 0);
  check_says(good.text, "ok   handler: 9 events, each twice");
}

TEST_CASE("G111: verify takes events from a file, and names the line of a bad one") {
  const edupulse::test::scratch_dir dir;
  std::ofstream(dir / "good") << R"({"name": "lesson.published", "lessonId": "a"})"
                              << "\n\n"
                              << R"({"name": "lesson.published", "lessonId": "b"})" << '\n';
  const auto good = verify("fatal_2", {"--events", (dir / "good").native()});
  CHECK(good.code == 0);
  check_says(good.text, "ok   handler: 2 events");
  std::ofstream(dir / "bad") << "\n{\"name\": \"lesson.published\", \"lessonId\": 5}\n";
  const auto bad = verify("fatal_2", {"--events", (dir / "bad").native()});
  CHECK(bad.code == 1);
  check_says(bad.text, "line 2");
  CHECK(verify("fatal_2", {"--events", (dir / "none").native()}).code == 1);
}

TEST_CASE("G111: what verify could not try has not passed, and a bad plugin is not run") {
  const auto actor = verify("actor_1");
  CHECK(actor.code == 1);
  check_says(actor.text, "FAIL handler: it is a CAF actor");
  const auto unruly = verify("unruly_exits");
  CHECK(unruly.code == 1);
  check_says(unruly.text, "calls exit()");
  const auto setting = verify("tally_1", {"--set", "turns=many"});
  CHECK(setting.code == 1);
  check_says(setting.text, "a whole number");
}
