// Scenarios, from TOML.

#include "plan.hpp"
#include "scenario_files.hpp"
#include "schemas/nearest.hpp"
#include "words.hpp"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <toml++/toml.h>

namespace edupulse::simulator {

namespace {

/// Reads keys of a table, each into its place; what is left is a mistake.
class table_reader {
public:
  table_reader(const toml::table& from, std::string file) : from_(from), file_(std::move(file)) {}

  template <class T> void read(std::string_view key, T& into) {
    known_.emplace_back(key);
    const auto* found = from_.get(key);
    if (found == nullptr)
      return;
    if constexpr (std::is_same_v<T, std::string>) {
      if (const auto value = found->value_exact<std::string>())
        into = *value;
      else
        complain(*found, key, "a text in quotes");
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      read_list(*found, key, into);
    } else if (const auto value = found->value<double>();
               value && (found->is_number()) && *value >= 0) {
      if (std::is_integral_v<T> && *value != std::floor(*value))
        complain(*found, key, "a whole number");
      else
        into = static_cast<T>(*value);
    } else {
      complain(*found, key, "a number, 0 or more");
    }
  }
  template <class F> void each(std::string_view key, F read_one) {
    known_.emplace_back(key);
    const auto* found = from_.get(key);
    if (found == nullptr)
      return;
    if (const auto* list = found->as_array(); list != nullptr && list->is_array_of_tables())
      for (const auto& one : *list)
        read_one(*one.as_table());
    else
      complain(*found, key, "tables: [[" + std::string(key) + "]]");
  }
  void complain(const toml::node& at, std::string_view key, const std::string& wanted) {
    note(fail(errc::malformed, where(at) + ": `" + std::string(key) + "` must be " + wanted));
  }
  void note(const expected<void>& what) {
    if (!what && !trouble_)
      trouble_ = what.error();
  }
  std::string where(const toml::node& at) const {
    return file_ + ":" + std::to_string(at.source().begin.line);
  }
  expected<void> done() {
    for (const auto& [key, value] : from_)
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
        note(fail(errc::malformed, file_ + ":" + std::to_string(key.source().begin.line) +
                                       ": nothing is called `" + std::string(key.str()) + "` here" +
                                       did_you_mean(key.str(), known_)));
    if (trouble_)
      return tl::unexpected(*trouble_);
    return {};
  }
  const toml::table& table() const noexcept { return from_; }

private:
  void read_list(const toml::node& found, std::string_view key, std::vector<std::string>& into) {
    const auto* list = found.as_array();
    if (list == nullptr || (!list->empty() && !list->is_homogeneous<std::string>()))
      return complain(found, key, "a list of texts");
    into.clear();
    for (const auto& one : *list)
      into.push_back(one.value_or(std::string()));
  }

  const toml::table& from_;
  std::string file_;
  std::vector<std::string> known_;
  std::optional<error> trouble_;
};

expected<handler_plan> read_handler(const toml::table& from, const std::string& file) {
  handler_plan made;
  std::vector<std::string> nodes;
  table_reader in(from, file);
  in.read("name", made.name);
  in.read("nodes", nodes);
  in.read("takes_ms", made.takes_ms);
  in.read("throws", made.throws);
  in.read("poison_every", made.poison_every);
  in.read("crash_loop_for", made.crash_loop_for);
  in.read("group", made.group);
  in.read("stall_after", made.stall_after);
  in.read("backlog", made.backlog);
  in.read("overload", made.overload);
  if (auto good = in.done(); !good)
    return tl::unexpected(good.error());
  auto places = nodes_called(nodes);
  if (!places)
    return fail(errc::malformed, in.where(from) + ": " + places.error().text);
  made.nodes = std::move(*places);
  return made;
}

expected<fault_plan> read_fault(const toml::table& from, const std::string& file) {
  fault_plan made;
  std::string what;
  std::vector<std::string> nodes;
  table_reader in(from, file);
  in.read("what", what);
  in.read("nodes", nodes);
  in.read("at", made.at);
  in.read("lasts", made.lasts);
  in.read("delay_ms", made.delay_ms);
  in.read("bytes_per_second", made.bytes_per_second);
  in.read("period", made.period);
  if (auto good = in.done(); !good)
    return tl::unexpected(good.error());
  const auto word = fault_called(what);
  if (!word)
    return fail(errc::malformed, in.where(from) + ": " + word.error().text);
  auto places = nodes_called(nodes);
  if (!places)
    return fail(errc::malformed, in.where(from) + ": " + places.error().text);
  made.what = *word;
  made.nodes = std::move(*places);
  return made;
}

expected<plan> read_plan(const toml::table& from, const std::string& file) {
  plan made;
  table_reader in(from, file);
  in.read("about", made.about);
  in.read("nodes", made.nodes);
  in.read("publishers", made.publishers);
  in.read("events", made.events);
  in.read("rate", made.rate);
  in.read("keys", made.keys);
  in.read("level", made.level);
  in.read("profile", made.profile);
  in.read("unreachable_after", made.unreachable_after);
  in.read("allows", made.allows);
  const auto take = [&](auto one, auto& into) {
    if (one)
      into.push_back(std::move(*one));
    else
      in.note(tl::unexpected(one.error()));
  };
  in.each("handler", [&](const toml::table& t) { take(read_handler(t, file), made.handlers); });
  in.each("fault", [&](const toml::table& t) { take(read_fault(t, file), made.faults); });
  if (auto good = in.done(); !good)
    return tl::unexpected(good.error());
  return made;
}

} // namespace

std::vector<std::string> shipped_scenarios() {
  std::vector<std::string> names;
  for (const auto& one : scenario_files)
    names.emplace_back(one.name);
  return names;
}

expected<plan> parse_scenario(std::string_view text, const std::string& from) {
  toml::table table;
  try {
    table = toml::parse(text, from);
  } catch (const toml::parse_error& wrong) {
    return fail(errc::malformed, from + ":" + std::to_string(wrong.source().begin.line) + ": " +
                                     std::string(wrong.description()));
  }
  return read_plan(table, from);
}

expected<plan> read_scenario(const std::string& what) {
  for (const auto& one : scenario_files)
    if (what == one.name) {
      auto made = parse_scenario(one.text, std::string(one.name) + ".toml");
      if (made)
        made->scenario = what;
      return made;
    }
  std::ifstream file(what);
  if (!file || std::filesystem::is_directory(what))
    return fail(errc::not_found, "no scenario and no file is called " + quote(what) +
                                     did_you_mean(what, shipped_scenarios()) +
                                     "; `simulate scenarios` lists them");
  std::ostringstream text;
  text << file.rdbuf();
  auto made = parse_scenario(text.str(), what);
  if (made)
    made->scenario = std::filesystem::path(what).stem();
  return made;
}

} // namespace edupulse::simulator
