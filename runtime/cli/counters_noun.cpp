#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

std::string counters_text(control::Answer::Reader answer) {
  table all({"COUNTER", "SINCE THE START"});
  for (const auto one : answer.getCounters())
    all.add({one.getName().cStr(), std::to_string(one.getValue())});
  return all.text();
}

/// {"events.routed": 3, ...}
void by_name(json& counters) {
  json all = json::object();
  for (const auto& one : counters)
    all[one["name"].get<std::string>()] = one["value"];
  counters = std::move(all);
}

} // namespace

void add_counters(CLI::App& to, tool& with) {
  add_verb(to, with, "counters", "what the node has counted", [&with] {
    return with.show([](auto request) { request.setCounters(); }, counters_text, by_name);
  });
}

} // namespace edupulse::cli
