#include "plugins.hpp"
#include "runtime/simulation/record.hpp"
#include "words.hpp"
#include <algorithm>
#include <set>
#include <sstream>

namespace edupulse::simulator {

namespace {

/// The path and the nodes behind its last `@`, if those are nodes: a path may have one, too.
plugin_plan read_place(const std::string& text) {
  plugin_plan made;
  auto path = text;
  if (const auto at = text.rfind('@'); at != text.npos) {
    std::vector<std::string> names;
    std::istringstream behind(text.substr(at + 1));
    for (std::string name; std::getline(behind, name, '/');)
      names.push_back(name);
    if (auto nodes = nodes_called(names); nodes && !nodes->empty()) {
      made.nodes = std::move(*nodes);
      path.erase(at);
    }
  }
  made.file = std::filesystem::absolute(path).lexically_normal();
  return made;
}

expected<void> add_handlers(const plugin_plan& of, plan& to) {
  for (const auto& one : of.manifest.handlers) {
    handler_plan made;
    made.name = of.manifest.name + "." + one.name;
    made.nodes = of.nodes;
    made.group = one.group;
    made.filter = one.filter.empty() ? one.event + "(.>)" : one.filter;
    made.of_plugin = true;
    if (std::any_of(to.handlers.begin(), to.handlers.end(),
                    [&](const handler_plan& other) { return other.name == made.name; }))
      return fail(errc::duplicate_name, "the scenario has a handler " + quote(made.name) +
                                            ", and so has the plugin " + of.file.string());
    to.handlers.push_back(std::move(made));
  }
  return {};
}

} // namespace

expected<void> add_plugins(const std::vector<std::string>& files,
                           const std::vector<std::string>& settings, plan& to) {
  std::map<std::string, plugin_values> values;
  for (const auto& one : settings)
    if (auto good = add_plugin_value(one, values); !good)
      return fail(good.error().code, "--set " + quote(one) + ": " + good.error().text);
  for (const auto& one : files) {
    auto made = read_place(one);
    auto manifest = read_plugin_manifest(made.file);
    if (!manifest)
      return tl::unexpected(manifest.error());
    made.manifest = std::move(*manifest);
    for (const auto& other : to.plugins)
      if (other.manifest.name == made.manifest.name)
        return fail(errc::duplicate_name, "two plugins are named '" + made.manifest.name +
                                              "': " + quote(other.file.string(), 512) + " and " +
                                              quote(made.file.string(), 512) +
                                              ". A node has one of them");
    if (auto own = values.extract(made.manifest.name))
      made.settings = std::move(own.mapped());
    if (auto good = add_handlers(made, to); !good)
      return good;
    to.plugins.push_back(std::move(made));
  }
  if (values.empty())
    return {};
  return fail(errc::invalid_option, "--set: no plugin is named " + quote(values.begin()->first) +
                                        ": write it as PLUGIN.NAME=VALUE");
}

expected<void> load_plugins(plan& what, bool in_virtual_time) {
  for (auto& one : what.plugins) {
    auto code = load_plugin(one.file, one.settings);
    if (!code)
      return tl::unexpected(code.error());
    for (const auto& each : code->handlers)
      if (in_virtual_time && !each.recipe.make)
        return fail(errc::refused, "plugin " + quote(one.file.string(), 512) + ": its handler '" +
                                       each.subscription +
                                       "' is a CAF actor, which has threads and clocks of its own "
                                       "and no place in virtual time: use --mode processes");
    one.code = std::make_shared<const plugin_parts>(std::move(*code));
  }
  return {};
}

namespace {

/// One that the filter matches.
std::string topic_in(const std::string& filter) {
  std::string topic;
  const auto parsed = simulation::read_filter(filter).value();
  for (const auto& token : parsed.tokens())
    topic += (topic.empty() ? "" : ".") + (token == "*" || token == ">" ? "any" : token);
  return topic;
}

} // namespace

std::vector<std::string> topics_of(const plan& what) {
  std::set<std::string> all;
  for (const auto& one : what.handlers)
    all.insert(topic_in(one.filter));
  return {all.begin(), all.end()};
}

} // namespace edupulse::simulator
