#include "report.hpp"
#include "report_template.hpp"
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace edupulse::simulator {

namespace {

using json = nlohmann::ordered_json; // members stay in the order they are read in

/// Three decimals are more than anything here is known to. What is no number is printed as null.
double rounded(double value) { return std::round(value * 1e3) / 1e3; }

/// An array of what `get` makes of each, or of that member of it.
template <class Items, class Get> json array_of(const Items& items, Get get) {
  json result = json::array();
  for (const auto& each : items)
    result.push_back(std::invoke(get, each));
  return result;
}

json object_of(const run_report::check& what) {
  return {{"name", what.name}, {"ok", what.ok}, {"count", what.count}, {"text", what.text}};
}

json object_of(const run_report::violation& what) {
  return {{"what", what.what}, {"story", what.story}};
}

json object_of(const run_report::verdict& what) {
  const auto object = [](const auto& each) { return object_of(each); };
  return {{"ok", what.ok},
          {"text", what.text},
          {"checks", array_of(what.checks, object)},
          {"violations", array_of(what.violations, object)},
          {"unchecked", what.unchecked}};
}

json object_of(const run_report::fault& what) {
  return {{"from", rounded(what.from)},
          {"until", what.until ? json(rounded(*what.until)) : json(nullptr)},
          {"kind", what.kind},
          {"text", what.text}};
}

json object_of(const run_report::sighting& what) {
  return {{"at", rounded(what.at)},
          {"seen_by", what.seen_by},
          {"who", what.who},
          {"state", to_string(what.state)}};
}

json object_of(const run_report::ledger_row& what) {
  json dropped = json::object();
  for (const auto& [reason, count] : what.dropped)
    dropped[reason] = count;
  return {{"topic", what.topic},
          {"subscription", what.subscription},
          {"published", what.published},
          {"handled", what.handled},
          {"dead", what.dead},
          {"expired", what.expired},
          {"dropped", std::move(dropped)},
          {"pending", what.pending}};
}

json object_of(const run_report::dead_group& what) {
  return {{"subscription", what.subscription}, {"cause", what.cause}, {"count", what.count}};
}

json object_of(const run_report::not_owed_line& what) {
  return {
      {"subscription", what.subscription}, {"publisher", what.publisher}, {"count", what.count}};
}

json latency_of(const std::vector<run_report::sample>& samples,
                double run_report::percentiles::*which) {
  return array_of(samples, [which](const run_report::sample& each) {
    return each.latency ? json(rounded((*each.latency).*which)) : json(nullptr);
  });
}

json per_node(const run_report& what, std::size_t node) {
  const auto column = [&](double run_report::flow::*which) {
    return array_of(what.samples, [=](const run_report::sample& each) {
      return node < each.per_node.size() ? json(rounded(each.per_node[node].*which))
                                         : json(nullptr);
    });
  };
  return {{"published", column(&run_report::flow::published)},
          {"handled", column(&run_report::flow::handled)},
          {"backlog", column(&run_report::flow::backlog)}};
}

/// Columns: what a plot is drawn from, and a third of the size of rows.
json series_of(const run_report& what) {
  const auto column = [&](double run_report::flow::*which) {
    return array_of(what.samples, [=](const auto& each) { return rounded(each.all.*which); });
  };
  json nodes = json::object();
  for (std::size_t at = 0; at < what.nodes.size(); ++at)
    nodes[what.nodes[at]] = per_node(what, at);
  return {{"t", array_of(what.samples, [](const auto& each) { return rounded(each.at); })},
          {"published", column(&run_report::flow::published)},
          {"handled", column(&run_report::flow::handled)},
          {"backlog", column(&run_report::flow::backlog)},
          {"p50_us", latency_of(what.samples, &run_report::percentiles::p50_us)},
          {"p99_us", latency_of(what.samples, &run_report::percentiles::p99_us)},
          {"p999_us", latency_of(what.samples, &run_report::percentiles::p999_us)},
          {"per_node", std::move(nodes)}};
}

/// JSON for the inside of a <script>: no `<` that could end it or open another, and no line
/// separators of Unicode. Outside of its strings JSON has none of them.
std::string safe_in_script(const std::string& text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto next = std::string_view(text).substr(at, 3);
    if (text[at] == '<') {
      result += "\\u003c";
    } else if (next == "\xe2\x80\xa8" || next == "\xe2\x80\xa9") {
      result += next.back() == '\xa8' ? "\\u2028" : "\\u2029";
      at += 2;
    } else {
      result += text[at];
    }
  }
  return result;
}

} // namespace

std::string to_string(run_report::run_mode mode) {
  return mode == run_report::run_mode::processes ? "processes" : "virtual";
}

std::string to_string(run_report::member_state state) {
  switch (state) {
  case run_report::member_state::alive:
    return "alive";
  case run_report::member_state::suspect:
    return "suspect";
  case run_report::member_state::dead:
    return "dead";
  case run_report::member_state::left:
    return "left";
  case run_report::member_state::down:
    return "down";
  }
  return "";
}

std::string to_json(const run_report& what) {
  const auto object = [](const auto& each) { return object_of(each); };
  const json result = {{"version", 1},
                       {"scenario", what.scenario},
                       {"about", what.about},
                       {"mode", to_string(what.mode)},
                       {"seed", what.seed},
                       {"level", what.level},
                       {"again", what.again},
                       {"nodes", what.nodes},
                       {"seconds", rounded(what.seconds)},
                       {"verdict", object_of(what.outcome)},
                       {"faults", array_of(what.faults, object)},
                       {"series", series_of(what)},
                       {"membership", array_of(what.membership, object)},
                       {"ledger", array_of(what.ledger, object)},
                       {"dead_letters", array_of(what.dead_letters, object)},
                       {"not_owed", array_of(what.not_owed, object)},
                       {"notes", what.notes}};
  return result.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_json(const sweep_report& what) {
  json faults = json::object();
  for (const auto& [kind, count] : what.faults)
    faults[kind] = count;
  const json result = {{"scenario", what.scenario},
                       {"runs", what.runs},
                       {"seeds", {what.first_seed, what.last_seed}},
                       {"node_seconds", rounded(what.node_seconds)},
                       {"faults", std::move(faults)},
                       {"ok", what.ok}};
  return result.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_page(const run_report& what) {
  constexpr std::string_view place = "@REPORT@";
  std::string page;
  for (const std::string_view piece : report_template())
    page += piece;
  return page.replace(page.find(place), place.size(), safe_in_script(to_json(what)));
}

} // namespace edupulse::simulator
