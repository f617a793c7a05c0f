#include "runtime/cli/nouns.hpp"
#include "runtime/cli/plugin_new.hpp"
#include "runtime/cli/plugin_show.hpp"
#include "runtime/cli/plugin_verify.hpp"

namespace edupulse::cli {

namespace {

struct choice {
  std::string name;
  std::string file;
  std::vector<std::string> settings;
};

std::string names_text(capnp::List<capnp::Text>::Reader names) {
  std::string text;
  for (const auto one : names)
    text += (text.empty() ? "" : ", ") + std::string(one.cStr());
  return text;
}

std::string list_text(control::Answer::Reader answer) {
  table all({"PLUGIN", "VERSION", "STATE", "BACK TO", "HANDLERS", "FILE"});
  for (const auto one : answer.getPlugins())
    all.add({one.getName().cStr(), one.getVersion().cStr(), one.getState().cStr(),
             one.getCanRollBack() ? one.getPreviousVersion().cStr() : "-",
             names_text(one.getHandlers()), one.getFile().cStr()});
  return all.text("there are no plugins");
}

std::string loaded_text(control::Answer::Reader answer) {
  const auto from = answer.getPlugin();
  return printable(from.getName().cStr()) + " " + printable(from.getVersion().cStr()) + " is " +
         printable(from.getState().cStr()) + ": " + printable(names_text(from.getHandlers())) +
         "\n";
}

std::string swapped_text(const std::string& name, control::Answer::Reader answer) {
  const auto from = answer.getSwapped();
  std::string text = printable(name) + " went from " + printable(from.getFrom().cStr()) + " to " +
                     printable(from.getTo().cStr()) + " in " + std::to_string(from.getTookMs()) +
                     " ms\n";
  const auto add = [&](const char* what, capnp::List<capnp::Text>::Reader names) {
    if (names.size() > 0)
      text += what + printable(names_text(names)) + "\n";
  };
  add("new: ", from.getAdded());
  add("gone, with what was waiting for them: ", from.getRemoved());
  add("state was handed over: ", from.getHandedOver());
  for (const auto one : from.getNotHandedOver())
    text += "began anew, its state was lost: " + printable(one.cStr()) + "\n";
  return text;
}

std::string crashes_text(control::Answer::Reader answer) {
  table all({"EVENT", "HANDLER", "VERSION", "DEATHS", "STATE", "LAST", "HOW"});
  for (const auto one : answer.getCrashes()) {
    const std::string_view where = one.getBacktrace().cStr();
    auto how = std::string(one.getSignal().cStr());
    if (!where.empty())
      how += ", at " + std::string(where.substr(0, where.find('\n')));
    all.add({one.getEvent().cStr(), one.getHandler().cStr(), one.getVersion().cStr(),
             std::to_string(one.getDeaths()), one.getRefused() ? "refused" : "suspect",
             time_text(one.getLastMs()), std::move(how)});
  }
  return all.text("no event has been with a handler when the node died");
}

/// The node may be in another directory than whoever types.
std::string whole_path(const std::string& file) {
  return std::filesystem::absolute(file).lexically_normal().string();
}

/// Those that CLI11 has checked.
template <class To> void put_settings(const choice& from, To to) {
  auto all = to.initSettings(static_cast<unsigned>(from.settings.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    const auto [name, value] = *split_setting(from.settings[i]);
    all[i].setName(name);
    all[i].setValue(value);
  }
}

int load(const tool& with, const choice& what) {
  return with.show(
      [&](auto request) {
        auto to = request.initPluginLoad();
        to.setFile(whole_path(what.file));
        put_settings(what, to);
      },
      loaded_text);
}

int swap(const tool& with, const choice& what) {
  return with.show(
      [&](auto request) {
        auto to = request.initPluginSwap();
        to.setName(what.name);
        to.setFile(whole_path(what.file));
        put_settings(what, to);
      },
      [&](auto answer) { return swapped_text(what.name, answer); });
}

int roll_back(const tool& with, const choice& what) {
  return with.show([&](auto request) { request.setPluginRollback(what.name); },
                   [&](auto answer) { return swapped_text(what.name, answer); });
}

void add_file(CLI::App& verb, choice& what, const char* about) {
  verb.add_option("FILE", what.file, about)->required();
  add_settings(verb, what.settings);
}

} // namespace

void add_plugin(CLI::App& to, tool& with) {
  const auto what = std::make_shared<choice>();
  const auto name = [&what](CLI::App& verb) {
    verb.add_option("NAME", what->name, "as `edupulse plugin ls` says it")->required();
  };
  auto& noun = add_noun(to, "plugin", "handlers that were loaded into the node");
  add_verb(noun, with, "ls", "what is loaded, and where `rollback` leads",
           [&with] { return with.show([](auto request) { request.setPluginList(); }, list_text); });
  add_file(add_verb(noun, with, "load", "a new one", [&with, what] { return load(with, *what); }),
           *what, "the plugin");
  auto& swapping = add_verb(noun, with, "swap", "another version takes over, and no event is lost",
                            [&with, what] { return swap(with, *what); });
  name(swapping);
  add_file(swapping, *what, "the other version");
  name(add_verb(noun, with, "rollback", "back to the version before the last swap",
                [&with, what] { return roll_back(with, *what); }));
  add_verb(
      noun, with, "crashes", "events that handlers had when the node died, and which are refused",
      [&with, what] {
        return with.show([&](auto request) { request.setPluginCrashes(what->name); }, crashes_text);
      })
      .add_option("NAME", what->name, "of one plugin; else of all");
  add_plugin_show(noun, with.run, with.json_wanted);
  add_plugin_new(noun, with.run);
  add_plugin_verify(noun, with.run);
}

} // namespace edupulse::cli
