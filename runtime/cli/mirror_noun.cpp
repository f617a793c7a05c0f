#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

struct choice {
  std::string name;
  std::string url;
  std::string filter = ">";
  std::string group;
};

/// "840 ms", "12 s", "3 min"
std::string age_text(std::uint64_t ms) {
  if (ms < 10'000)
    return std::to_string(ms) + " ms";
  return ms < 600'000 ? std::to_string(ms / 1000) + " s" : std::to_string(ms / 60'000) + " min";
}

std::string list_text(control::Answer::Reader answer) {
  table all({"MIRROR", "STATE", "LAG", "OLDEST", "FILTER", "GROUP", "BROKER", "WHERE", "WHY"});
  for (const auto one : answer.getMirrors())
    all.add({one.getName().cStr(), one.getState().cStr(), std::to_string(one.getLag()),
             one.getLag() == 0 ? "-" : age_text(one.getOldestMs()), one.getFilter().cStr(),
             one.getGroup().cStr(), one.getHealth().cStr(), one.getWhere().cStr(),
             one.getWhy().cStr()});
  return all.text("there are no mirrors");
}

} // namespace

void add_mirror(CLI::App& to, tool& with) {
  auto& noun = add_noun(to, "mirror", "copies of the node's events at brokers");
  add_verb(noun, with, "ls", "where they go, how far behind they are, and why",
           [&with] { return with.show([](auto request) { request.setMirrorList(); }, list_text); });
  const auto what = std::make_shared<choice>();
  const auto named = [what](CLI::App& verb) {
    verb.add_option("NAME", what->name, "as `edupulse mirror ls` says it")->required();
  };
  const auto addressed = [what](CLI::App& verb) {
    verb.add_option("--to", what->url,
                    "nats://host:4222?topic=events.{name}, or @FILE with that in it: see "
                    "docs/mirrors.md")
        ->required()
        ->transform(CLI::Validator(read_address, ""));
  };
  auto& add = add_verb(noun, with, "add", "copies events from now on", [&with, what] {
    return with.show(
        [&](auto request) {
          auto made = request.initMirrorAdd();
          made.setName(what->name);
          made.setUrl(what->url);
          made.setFilter(what->filter);
          made.setGroup(what->group);
        },
        [&](auto) { return printable(what->name) + " is a mirror\n"; });
  });
  named(add);
  addressed(add);
  add.add_option("--filter", what->filter, "which topics: lesson.>  [>]");
  add.add_option("--group", what->group,
                 "one copy of each event, when several nodes have a mirror of this group");
  auto& swap = add_verb(noun, with, "swap", "another broker, or other settings; nothing is lost",
                        [&with, what] {
                          return with.show(
                              [&](auto request) {
                                auto made = request.initMirrorSwap();
                                made.setName(what->name);
                                made.setUrl(what->url);
                              },
                              [&](auto) { return printable(what->name) + " is swapped\n"; });
                        });
  named(swap);
  addressed(swap);
  using request = control::Request::Builder;
  add_verb_of_one(noun, with, "pause", "its events wait, within its backlog", " is paused\n",
                  [](request to_fill, const std::string& who) { to_fill.setPause(who); });
  add_verb_of_one(noun, with, "resume", "ends a pause", " is resumed\n",
                  [](request to_fill, const std::string& who) { to_fill.setResume(who); });
  add_verb_of_one(noun, with, "rm", "ends it; what it is behind is dropped and counted",
                  " is gone\n",
                  [](request to_fill, const std::string& who) { to_fill.setMirrorRemove(who); });
}

} // namespace edupulse::cli
