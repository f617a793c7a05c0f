// Writes a report as the simulator would: report_samples good|failed|empty|large json|page
#include "report.hpp"
#include <cmath>
#include <iostream>
#include <random>
#include <string_view>

using namespace edupulse::simulator;
using state = run_report::member_state;

namespace {

const std::string script_text = "</script><script>alert(1)</script>";
const std::string image_text = "<img src=x onerror=alert(2)>";

std::vector<std::string> names(std::size_t many) {
  std::vector<std::string> result;
  for (std::size_t at = 1; at <= many; ++at)
    result.push_back("n" + std::to_string(at));
  return result;
}

/// A load that rises and falls; from `from` to `until` the last `away` nodes handle nothing.
void measure(run_report& what, std::size_t samples, std::size_t away, double from, double until) {
  std::mt19937 chance(static_cast<unsigned>(what.seed));
  std::uniform_real_distribution<> noise(0.94, 1.06);
  const auto many = static_cast<double>(what.nodes.size());
  std::vector<double> owed(what.nodes.size());
  for (std::size_t at = 1; at <= samples; ++at) {
    run_report::sample one;
    one.at = what.seconds * static_cast<double>(at) / static_cast<double>(samples);
    const double step = what.seconds / static_cast<double>(samples);
    const bool cut = one.at >= from && one.at < until;
    for (std::size_t node = 0; node < what.nodes.size(); ++node) {
      run_report::flow flow;
      flow.published = (300 + 80 * std::sin(one.at / 4)) * noise(chance);
      const bool is_away = cut && node + away >= what.nodes.size();
      const double wanted = flow.published + owed[node] / step;
      flow.handled = is_away ? 0 : std::min(wanted, 900 * noise(chance));
      owed[node] = flow.backlog = std::round(std::max(0., (wanted - flow.handled) * step));
      one.all.published += flow.published;
      one.all.handled += flow.handled;
      one.all.backlog += flow.backlog;
      one.per_node.push_back(flow);
    }
    const double slow = 1 + one.all.backlog / (many * 12);
    one.latency = {180 * noise(chance), 900 * slow * noise(chance), 4200 * slow * noise(chance)};
    what.samples.push_back(one);
  }
}

void everybody_meets(run_report& what) {
  double at = 0.05;
  for (const std::string& one : what.nodes)
    for (const std::string& other : what.nodes)
      if (one != other)
        what.membership.push_back(
            {at += 0.3 / static_cast<double>(what.nodes.size()), one, other, state::alive});
}

/// Nodes of both sides, as the other side sees them from `from` to `until`.
void two_sides(run_report& what, std::size_t first, double from, double until) {
  for (std::size_t one = 0; one < what.nodes.size(); ++one)
    for (std::size_t other = 0; other < what.nodes.size(); ++other) {
      if ((one < first) == (other < first))
        continue;
      const double later = 0.02 * static_cast<double>((one * 7 + other * 3) % 23);
      const auto& [by, who] = std::pair(what.nodes[one], what.nodes[other]);
      what.membership.push_back({from + 1.1 + later, by, who, state::suspect});
      what.membership.push_back({from + 3.4 + later, by, who, state::dead});
      what.membership.push_back({until + 0.6 + later, by, who, state::alive});
    }
}

run_report good() {
  run_report what;
  what.scenario = "split-brain-and-heal";
  what.about =
      "Five nodes are cut into two and three for seven seconds; both sides go on publishing.";
  what.seed = 18446744073709551615U; // more digits than JavaScript's numbers keep
  what.level = "acknowledged";
  what.again = "./dev simulate split-brain-and-heal --seed 18446744073709551615";
  what.nodes = names(5);
  what.seconds = 30;
  what.outcome.text = "41,204 events, each handled once by every subscription";
  what.outcome.checks = {{"lost", true, 0, "every acknowledged event was handled"},
                         {"phantom", true, 0, "nothing was handled that was not published"},
                         {"order", true, 0, "in publish order for each key"},
                         {"repeats", true, 0, "no event was handled twice within a start"},
                         {"ledger", true, 0, "every line balances"}};
  what.faults = {{5, 12, "partition", "n1 n2 | n3 n4 n5"},
                 {16, 18.5, "pause", "n4 is stopped"},
                 {21, 24, "kill", "n5, and started again"}};
  measure(what, 60, 3, 5, 12);
  everybody_meets(what);
  two_sides(what, 2, 5, 12);
  what.membership.push_back({21, "n5", "n5", state::down});
  for (const char* by : {"n1", "n2", "n3", "n4"}) {
    what.membership.push_back({22.2, by, "n5", state::suspect});
    what.membership.push_back({24.3, by, "n5", state::alive});
    what.membership.push_back({24.4, "n5", by, state::alive});
  }
  what.membership.push_back({24, "n5", "n5", state::alive});
  for (const std::string& node : what.nodes)
    what.ledger.push_back({"lesson.published", "indexer@" + node, 41204, 41204, 0, 0, {}, 0});
  what.ledger.push_back({"notice.sent",
                         "mailer@n2",
                         812,
                         790,
                         3,
                         2,
                         {{"drop_oldest", 15}, {"shed_stalled", 0}, {"superseded", 2}},
                         0});
  what.dead_letters = {{"mailer@n2", "no such mailbox", 3}};
  what.notes = {"n5 was started again after 3.0 s, and had what it was owed 0.4 s later."};
  return what;
}

run_report failed() {
  run_report what = good();
  what.scenario = script_text;
  what.about = image_text + " \u2028\u2029 & \"quotes\" 'and' `ticks` ${7*7} <!-- and comments";
  what.level = image_text;
  what.again = "simulate '" + script_text + "' --seed 7";
  what.seed = 7;
  what.nodes[1] = script_text;
  what.nodes[2] = "__proto__";
  what.nodes[3] = "a-node-with-a-name-as-long-as-names-of-hosts-in-large-installations.example.org";
  what.nodes[4] = "\u202egnitirw-thgir";
  what.outcome.ok = false;
  what.outcome.text = "2 promises were broken " + script_text;
  what.outcome.checks[0] = {"lost", false, 2, "acknowledged, and handled by nobody " + image_text};
  what.outcome.checks[2] = {"order", false, 1, "a key went backwards"};
  what.outcome.violations = {
      {"lost: event 77 of n1 at indexer@" + script_text,
       {"4.912 n1 published event 77 " + script_text, "4.913 n1 was told that it is acknowledged",
        "5.000 partition n1 n2 | n3 n4 n5", "12.600 n1 saw n3 alive", "the run ended"}},
      {"order: key algebra at indexer@n3", {"7.100 handled 12", "7.101 handled 11"}},
      {image_text, {}}};
  what.outcome.unchecked = {"the journal of n5 was cut short " + image_text};
  what.faults.push_back({25, std::nullopt, image_text, script_text});
  what.membership.clear();
  everybody_meets(what);
  two_sides(what, 2, 5, 12);
  what.membership.push_back({13, "n1", image_text, state::alive});
  what.membership.push_back({26, "n1", "__proto__", state::left});
  for (std::size_t at = 12; at < 15; ++at)
    what.samples[at].latency = std::nullopt;
  what.ledger.push_back({image_text, script_text, 10, 7, 0, 0, {{"__proto__", 1}}, 1});
  what.dead_letters.push_back({script_text, image_text, 1});
  what.notes = {script_text, image_text};
  return what;
}

run_report large() {
  run_report what = good();
  what.scenario = "large";
  what.mode = run_report::run_mode::virtual_time;
  what.nodes = names(50);
  what.seconds = 600;
  what.samples.clear();
  what.membership.clear();
  what.faults.clear();
  for (int at = 0; at < 30; ++at)
    what.faults.push_back(
        {20.0 + 10 * at, 24.0 + 10 * at, "flap", "the cable of n" + std::to_string(at + 1)});
  what.faults.push_back({400, 460, "partition", "n1 to n20 | n21 to n50"});
  measure(what, 2000, 30, 400, 460);
  everybody_meets(what);
  two_sides(what, 20, 400, 460);
  for (const std::string& node : what.nodes)
    for (const char* topic : {"lesson.published", "lesson.updated", "notice.sent"})
      what.ledger.push_back({topic, "indexer@" + node, 1234567, 1234560, 0, 7, {}, 0});
  for (int at = 0; at < 300; ++at)
    what.notes.push_back("note " + std::to_string(at));
  return what;
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 3 ? argv[1] : "", form = argc == 3 ? argv[2] : "";
  if (kind != "good" && kind != "failed" && kind != "empty" && kind != "large") {
    std::cerr << "report_samples good|failed|empty|large json|page\n";
    return 2;
  }
  const run_report what = kind == "good"     ? good()
                          : kind == "failed" ? failed()
                          : kind == "large"  ? large()
                                             : run_report{};
  std::cout << (form == "json" ? to_json(what) : to_page(what));
  return 0;
}
