#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

std::string list_text(control::Answer::Reader answer) {
  table all(
      {"HANDLER", "STATE", "PENDING", "IN FLIGHT", "RESTARTS", "FILTER", "GROUP", "SCOPE", "WHY"});
  for (const auto one : answer.getSubscriptions())
    all.add({one.getName().cStr(), one.getState().cStr(), std::to_string(one.getPending()),
             std::to_string(one.getInFlight()), std::to_string(one.getRestarts()),
             one.getFilter().cStr(), one.getGroup().cStr(), one.getScope().cStr(),
             one.getWhy().cStr()});
  return all.text("there are no handlers");
}

} // namespace

void add_handler(CLI::App& to, tool& with) {
  auto& noun = add_noun(to, "handler", "the node's handlers, by the names of their subscriptions");
  add_verb(noun, with, "ls", "what they are doing: running, paused, quarantined, ...", [&with] {
    return with.show([](auto request) { request.setSubscriptions(); }, list_text);
  });
  using request = control::Request::Builder;
  add_verb_of_one(noun, with, "pause", "its events wait; calls that are running end",
                  " is paused\n",
                  [](request to_fill, const std::string& who) { to_fill.setPause(who); });
  add_verb_of_one(noun, with, "resume", "ends a pause, and the quarantine of its scope",
                  " is resumed\n",
                  [](request to_fill, const std::string& who) { to_fill.setResume(who); });
}

} // namespace edupulse::cli
