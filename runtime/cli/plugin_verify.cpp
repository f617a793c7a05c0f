// The handlers of a plugin against `expect_idempotent`: each event twice, in another order of keys,
// and with a death of the handler after each publish. Nothing is sent anywhere.

#include "runtime/cli/plugin_verify.hpp"

#include "runtime/cli/command_line.hpp"
#include "runtime/cli/sample_events.hpp"
#include "runtime/plugins/declared.hpp"
#include "runtime/plugins/plugin_file.hpp"
#include "runtime/plugins/probe.hpp"
#include "schemas/json.hpp"
#include <algorithm>
#include <edupulse/testing.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

namespace edupulse::cli {

namespace {

constexpr std::size_t made_up = 9;

struct choice {
  std::string file;
  std::string events;
  std::vector<std::string> settings;
};

expected<const plugin*> load(const std::string& name) {
  const auto file = std::filesystem::absolute(name).lexically_normal();
  const auto opened = plugin_file::open(file);
  if (!opened)
    return tl::unexpected(opened.error());
  const auto program = find_probe({});
  if (!program)
    return tl::unexpected(program.error());
  return admit(*opened, *program, std::chrono::seconds(5));
}

/// A flattened event in each line.
expected<std::vector<envelope_ptr>> read_events(const plugin& of, const std::string& name) {
  std::vector<envelope_ptr> events;
  std::ifstream in(name);
  if (!in)
    return fail(errc::io, "cannot read " + quote(name, 512));
  std::uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    envelope_header absent;
    absent.id = event_id{from_halves(number, 0x7000000000000000)};
    absent.publisher = make_node_id(1, 1);
    auto event = from_json(line, [&](std::string_view event_name) {
                   return type_taken(of, event_name);
                 }).and_then([&](const json_event& one) { return to_envelope(one, absent); });
    if (!event)
      return fail(event.error().code, quote(name, 512) + ", line " + std::to_string(number) + ": " +
                                          event.error().text);
    events.push_back(std::move(*event));
  }
  return events;
}

/// What to try one handler with. Errors: why it cannot be tried.
expected<std::vector<envelope_ptr>> events_for(const plugin_handler& which,
                                               const std::vector<envelope_ptr>& given) {
  if (which.make == nullptr)
    return fail(errc::refused, "it is a CAF actor, which only a node can run");
  const auto filter = filter_of(which);
  if (!filter)
    return tl::unexpected(filter.error());
  std::vector<envelope_ptr> own;
  std::copy_if(given.begin(), given.end(), std::back_inserter(own),
               [&](const envelope_ptr& one) { return filter->matches(one->topic()); });
  if (!own.empty())
    return own;
  if (which.type == nullptr)
    return fail(errc::refused, "it takes events of any type: give it some with --events");
  return sample_events(which.type(), made_up);
}

expected<std::size_t> verify(const plugin_handler& which, const plugin_settings& settings,
                             const std::vector<envelope_ptr>& given) {
  const auto events = events_for(which, given);
  if (!events)
    return tl::unexpected(events.error());
  const auto make = [&] {
    return std::pair(handler_recipe{[&] { return which.make(settings); }, false},
                     testing::observe_effects());
  };
  if (auto good = testing::expect_idempotent(make, *events); !good)
    return tl::unexpected(good.error());
  return events->size();
}

expected<bool> run_all(const choice& what) {
  const auto code = load(what.file);
  if (!code)
    return tl::unexpected(code.error());
  const plugin& of = **code;
  plugin_values values;
  for (const auto& one : what.settings)
    values.emplace(*split_setting(one));
  const auto settings = settings_of(of, values);
  if (!settings)
    return tl::unexpected(settings.error());
  std::vector<envelope_ptr> given;
  if (!what.events.empty()) {
    auto read = read_events(of, what.events);
    if (!read)
      return tl::unexpected(read.error());
    given = std::move(*read);
  }
  bool all_good = true;
  for (const auto& one : of.handlers()) {
    const auto done = verify(one, *settings, given);
    all_good = all_good && done;
    std::cout << (done ? "ok   " : "FAIL ") << one.name << ": "
              << (done ? std::to_string(*done) + " events, each twice, in another order, and with "
                                                 "a death after each publish"
                       : done.error().text)
              << '\n';
  }
  return all_good;
}

int run_verify(const choice& what) {
  const auto good = run_all(what);
  if (!good)
    std::cerr << "edupulse: " << good.error().text << '\n';
  return good.value_or(false) ? 0 : 1;
}

} // namespace

void add_plugin_verify(CLI::App& plugin, std::function<int()>& run) {
  const auto what = std::make_shared<choice>();
  auto* verb = plugin.add_subcommand(
      "verify", "whether its handlers can be given events twice, and die in the middle");
  verb->add_option("FILE", what->file, "the plugin; it is loaded into this process")->required();
  verb->add_option("--events", what->events,
                   "JSON Lines, each {\"name\": EVENT, fields...}; else they are made up from the "
                   "schema");
  add_settings(*verb, what->settings);
  verb->callback([what, &run] { run = [what] { return run_verify(*what); }; });
}

} // namespace edupulse::cli
