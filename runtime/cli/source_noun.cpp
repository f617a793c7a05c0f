#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

struct choice {
  std::string name;
  std::string url;
};

std::string list_text(control::Answer::Reader answer) {
  table all({"SOURCE", "BROKER", "RECEIVED", "PUBLISHED", "MALFORMED", "ECHOES", "LOST", "WAITING",
             "WHERE", "WHY"});
  for (const auto one : answer.getSources())
    all.add({one.getName().cStr(), one.getPaused() ? "paused" : one.getHealth().cStr(),
             std::to_string(one.getReceived()), std::to_string(one.getPublished()),
             std::to_string(one.getMalformed()), std::to_string(one.getEchoes()),
             std::to_string(one.getLost()), std::to_string(one.getWaiting()), one.getWhere().cStr(),
             one.getWhy().cStr()});
  return all.text("there are no sources");
}

} // namespace

void add_source(CLI::App& to, tool& with) {
  auto& noun = add_noun(to, "source", "events that come from brokers");
  add_verb(noun, with, "ls", "where they come from, how many, and what was wrong",
           [&with] { return with.show([](auto request) { request.setSourceList(); }, list_text); });
  const auto what = std::make_shared<choice>();
  auto& add = add_verb(noun, with, "add", "publishes what is there, from now on", [&with, what] {
    return with.show(
        [&](auto request) {
          auto made = request.initSourceAdd();
          made.setName(what->name);
          made.setUrl(what->url);
        },
        [&](auto) { return printable(what->name) + " is a source\n"; });
  });
  add.add_option("NAME", what->name, "as `edupulse source ls` says it")->required();
  add.add_option("--from", what->url,
                 "kafka://host:9092?topic=lessons, or @FILE with that in it: see docs/sources.md")
      ->required()
      ->transform(CLI::Validator(read_address, ""));
  using request = control::Request::Builder;
  add_verb_of_one(noun, with, "pause", "reads no more; what comes waits at the broker",
                  " is paused\n",
                  [](request to_fill, const std::string& who) { to_fill.setSourcePause(who); });
  add_verb_of_one(noun, with, "resume", "ends a pause", " is resumed\n",
                  [](request to_fill, const std::string& who) { to_fill.setSourceResume(who); });
  add_verb_of_one(noun, with, "rm", "ends it; what is not acknowledged stays at the broker",
                  " is gone\n",
                  [](request to_fill, const std::string& who) { to_fill.setSourceRemove(who); });
}

} // namespace edupulse::cli
