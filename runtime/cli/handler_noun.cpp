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
  const auto name = std::make_shared<std::string>();
  const auto tell = [&](const char* verb, const char* about, const char* said,
                        void (*fill)(control::Request::Builder, const std::string&)) {
    add_verb(noun, with, verb, about,
             [&with, name, said, fill] {
               return with.show([&](auto request) { fill(request, *name); },
                                [&](auto) { return printable(*name) + said; });
             })
        .add_option("NAME", *name, "as `edupulse handler ls` says it")
        ->required();
  };
  tell("pause", "its events wait; calls that are running end", " is paused\n",
       [](control::Request::Builder request, const std::string& who) { request.setPause(who); });
  tell("resume", "ends a pause, and the quarantine of its scope", " is resumed\n",
       [](control::Request::Builder request, const std::string& who) { request.setResume(who); });
}

} // namespace edupulse::cli
