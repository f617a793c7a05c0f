// What a run of the simulator says to programs, and how its page carries that.
#include "report.hpp"
#include "tests/support/catch.hpp"
#include <limits>
#include <nlohmann/json.hpp>

using namespace edupulse::simulator;
using json = nlohmann::json;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

run_report small_run() {
  run_report what;
  what.scenario = "kill-one";
  what.about = "One node is killed.";
  what.mode = run_report::run_mode::virtual_time;
  what.seed = std::numeric_limits<std::uint64_t>::max();
  what.level = "acknowledged";
  what.again = "simulate kill-one";
  what.nodes = {"n1", "n2"};
  what.seconds = 1.5;
  what.outcome = {false,
                  "1 event lost",
                  {{"lost", false, 1, "why"}},
                  {{"lost: 7", {"0.5 n1"}}},
                  {"n2 wrote nothing"}};
  what.faults = {{0.25, 1.0, "kill", "n2"}, {1.25, std::nullopt, "pause", "n1"}};
  what.samples = {
      {0.5, {100, 90, 10}, run_report::percentiles{1, 2, 3}, {{60, 50, 4}, {40, 40, 6}}},
      {1.0, {0, 0, 10}, std::nullopt, {{0, 0, 4}}}};
  what.membership = {{0.25, "n2", "n2", run_report::member_state::down},
                     {0.75, "n1", "n2", run_report::member_state::suspect}};
  what.ledger = {{"lesson.published", "indexer@n2", 10, 7, 1, 0, {{"shed_stalled", 1}}, 1}};
  what.dead_letters = {{"indexer@n2", "no", 1}};
  what.not_owed = {{"indexer@n2", "n1", 3}};
  what.notes = {"a note"};
  return what;
}

/// The JSON between the tags of a page, as a browser takes it: up to the first `</script`.
std::string embedded(const std::string& page) {
  const std::string tag = R"(<script type="application/json" id="report">)";
  const auto begin = page.find(tag) + tag.size();
  return page.substr(begin, page.find("</script", begin) - begin);
}

} // namespace

TEST_CASE("report: the JSON has every part under its name, in the order of the page") {
  const auto text = to_json(small_run());
  CHECK(text.find('\n') == std::string::npos);
  const auto what = nlohmann::ordered_json::parse(text);
  std::vector<std::string> names;
  for (const auto& each : what.items())
    names.push_back(each.key());
  CHECK(names == std::vector<std::string>{"version", "scenario", "about", "mode", "seed", "level",
                                          "again", "nodes", "seconds", "verdict", "faults",
                                          "series", "membership", "ledger", "dead_letters",
                                          "not_owed", "notes"});
  CHECK(what["version"] == 1);
  CHECK(what["mode"] == "virtual");
  CHECK(what["seed"] == std::numeric_limits<std::uint64_t>::max());
  CHECK(json(what["verdict"]) == json::parse(R"({"ok":false,"text":"1 event lost",
      "checks":[{"name":"lost","ok":false,"count":1,"text":"why"}],
      "violations":[{"what":"lost: 7","story":["0.5 n1"]}],"unchecked":["n2 wrote nothing"]})"));
  CHECK(json(what["faults"]) == json::parse(R"([{"from":0.25,"until":1.0,"kind":"kill","text":"n2"},
      {"from":1.25,"until":null,"kind":"pause","text":"n1"}])"));
  CHECK(json(what["membership"][1]) == json::parse(R"({"at":0.75,"seen_by":"n1","who":"n2",
      "state":"suspect"})"));
  CHECK(json(what["ledger"][0]) == json::parse(R"({"topic":"lesson.published",
      "subscription":"indexer@n2","published":10,"handled":7,"dead":1,"expired":0,
      "dropped":{"shed_stalled":1},"pending":1})"));
  CHECK(json(what["dead_letters"]) ==
        json::parse(R"([{"subscription":"indexer@n2","cause":"no","count":1}])"));
  CHECK(json(what["not_owed"]) ==
        json::parse(R"([{"subscription":"indexer@n2","publisher":"n1","count":3}])"));
}

TEST_CASE("report: series have one length, and null where nothing was handled or is known") {
  const auto series = json::parse(to_json(small_run()))["series"];
  CHECK(series == json::parse(R"({"t":[0.5,1.0],"published":[100,0],"handled":[90,0],
      "backlog":[10,10],"p50_us":[1,null],"p99_us":[2,null],"p999_us":[3,null],
      "per_node":{"n1":{"published":[60,0],"handled":[50,0],"backlog":[4,4]},
                  "n2":{"published":[40,null],"handled":[40,null],"backlog":[6,null]}}})"));
}

TEST_CASE("report: a run of nothing has every part, too, and none of them is null") {
  const auto what = json::parse(to_json(run_report()));
  CHECK(what["series"]["t"] == json::array());
  CHECK(what["series"]["per_node"] == json::object());
  for (const char* part : {"nodes", "faults", "membership", "ledger", "dead_letters", "notes"})
    CHECK(what[part] == json::array());
  for (const char* part : {"checks", "violations", "unchecked"})
    CHECK(what["verdict"][part] == json::array());
}

TEST_CASE("report: numbers that are none are null, and the rest has three decimals") {
  run_report run = small_run();
  run.samples[0].all = {not_a_number, infinite, -infinite};
  run.samples[0].latency = run_report::percentiles{not_a_number, 1.23456, infinite};
  const auto text = to_json(run);
  for (const char* banned : {"nan", "NaN", "inf", "Inf", "1.2345"})
    CHECK(text.find(banned) == std::string::npos);
  const auto series = json::parse(text)["series"];
  CHECK(series["published"][0].is_null());
  CHECK(series["handled"][0].is_null());
  CHECK(series["backlog"][0].is_null());
  CHECK(series["p99_us"][0] == 1.235);
}

TEST_CASE("report: any text is in the JSON as it was, or with U+FFFD where it is not UTF-8") {
  run_report run = small_run();
  const std::string strange = "\"\\\n\t\x01 </script> \xe2\x80\xa8 \xc3\xa9";
  run.notes = {strange, "cut \xe2\x82", std::string("a\0b", 3)};
  run.nodes[0] = "\xff";
  const auto what = json::parse(to_json(run));
  CHECK(what["notes"][0] == strange);
  CHECK(what["notes"][1] == "cut \xef\xbf\xbd");
  CHECK(what["notes"][2] == std::string("a\0b", 3));
  CHECK(what["series"]["per_node"].contains("\xef\xbf\xbd"));
}

TEST_CASE("report: the page carries the same JSON, and no text of a run can end its element") {
  run_report run = small_run();
  run.scenario = "</script><script>alert(1)</script><!--<script>";
  run.notes = {"\xe2\x80\xa8 and \xe2\x80\xa9 and \xe2\x80\xa7", "@REPORT@"};
  const auto inside = embedded(to_page(run));
  CHECK(json::parse(inside) == json::parse(to_json(run)));
  CHECK(inside.find('<') == std::string::npos);
  CHECK(inside.find("\xe2\x80\xa8") == std::string::npos);
  CHECK(inside.find("\xe2\x80\xa9") == std::string::npos);
}

TEST_CASE("report: the page needs no other file and no network") {
  const auto page = to_page(small_run());
  CHECK(page.rfind("<!doctype html>", 0) == 0);
  CHECK(page.substr(page.size() - 8) == "</html>\n");
  CHECK(page.find("default-src 'none'") != std::string::npos);
  for (const char* outside : {"src=", "@import", "https:", "<link", "fetch("})
    CHECK(page.find(outside) == std::string::npos);
}

TEST_CASE("json: of a sweep it says what was covered") {
  CHECK(
      to_json(sweep_report{"kill-one", 50, 101, 150, 2400.5, {{"cut", 3}, {"kill", 50}}, false}) ==
      R"({"scenario":"kill-one","runs":50,"seeds":[101,150],"node_seconds":2400.5,)"
      R"("faults":{"cut":3,"kill":50},"ok":false})");
}
