#include "runtime/plugins/declared.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace edupulse {

const plugin_handler* find_handler(const plugin& in, std::string_view name) {
  for (const auto& one : in.handlers())
    if (one.name == name)
      return &one;
  return nullptr;
}

const event_type* type_taken(const plugin& in, std::string_view event) {
  for (const auto& one : in.handlers())
    if (one.type != nullptr && one.event == event)
      return &one.type();
  return nullptr;
}

const event_type* type_known(const plugin& in, std::string_view event) {
  if (const auto* const taken = type_taken(in, event))
    return taken;
  for (const auto& one : in.publishes())
    if (one.name == event)
      return &one.type();
  return nullptr;
}

std::string subscription_name(const plugin& of, const plugin_handler& which) {
  return std::string(of.name()) + "." + std::string(which.name);
}

subscription_options options_of(const plugin& of, const plugin_handler& which) {
  const auto& from = which.options;
  subscription_options to;
  to.order = from.order;
  to.concurrency = from.concurrency;
  to.window = from.window;
  to.backlog_events = from.backlog_events;
  to.backlog_bytes = from.backlog_bytes;
  to.overload = from.overload;
  to.stall_after = from.stall_after;
  to.retry = from.retry;
  to.time_limit = from.time_limit;
  to.execution = from.execution;
  to.restart = from.restart;
  to.quarantine = from.quarantine;
  to.dead = from.dead;
  to.scope = of.name();
  to.group = from.group;
  return to;
}

expected<topic_filter> filter_of(const plugin_handler& which) {
  return which.options.filter.empty() ? topic_filter::name_and_below(which.event)
                                      : topic_filter::parse(which.options.filter);
}

// -- settings -----------------------------------------------------------------------------------

namespace {

using value = plugin_settings::value;

value default_of(const plugin_setting& what) {
  switch (what.type) {
  case plugin_setting::kind::integer:
    return what.integer;
  case plugin_setting::kind::number:
    return what.number;
  case plugin_setting::kind::flag:
    return what.flag;
  case plugin_setting::kind::text:
    break;
  }
  return std::string(what.text);
}

template <class T> std::optional<T> number_in(std::string_view text) {
  T result{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (failed != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return result;
}

std::optional<value> parse(plugin_setting::kind type, const std::string& text) {
  switch (type) {
  case plugin_setting::kind::integer:
    if (const auto number = number_in<std::int64_t>(text))
      return *number;
    return std::nullopt;
  case plugin_setting::kind::number:
    if (const auto number = number_in<double>(text); number && std::isfinite(*number))
      return *number;
    return std::nullopt;
  case plugin_setting::kind::flag:
    if (text == "true" || text == "false")
      return text == "true";
    return std::nullopt;
  case plugin_setting::kind::text:
    break;
  }
  return text;
}

const char* what_it_takes(plugin_setting::kind type) {
  switch (type) {
  case plugin_setting::kind::integer:
    return "a whole number";
  case plugin_setting::kind::number:
    return "a number";
  case plugin_setting::kind::flag:
    return "`true` or `false`";
  case plugin_setting::kind::text:
    break;
  }
  return "a text";
}

std::string names_of(std::span<const plugin_setting> all) {
  std::string names;
  for (const auto& one : all)
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  return names.empty() ? "it has none" : "it has " + names;
}

} // namespace

expected<plugin_settings> settings_of(const plugin& of, const plugin_values& given) {
  plugin_settings result;
  for (const auto& one : of.settings())
    result.set(std::string(one.name), default_of(one));
  for (const auto& [name, text] : given) {
    const auto all = of.settings();
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
    if (at == all.end())
      return fail(errc::invalid_option, "plugin '" + std::string(of.name()) + "' has no setting " +
                                            quote(name) + ": " + names_of(all));
    auto parsed = parse(at->type, text);
    if (!parsed)
      return fail(errc::invalid_option,
                  "setting '" + name + "' of plugin '" + std::string(of.name()) + "' takes " +
                      what_it_takes(at->type) + ", and " + quote(text) + " is none");
    result.set(name, std::move(*parsed));
  }
  return result;
}

expected<void> add_plugin_value(std::string_view text, std::map<std::string, plugin_values>& to) {
  const auto equals = std::min(text.find('='), text.size());
  const auto dot = text.substr(0, equals).rfind('.');
  if (equals == text.size() || dot == text.npos || dot == 0 || dot + 1 == equals)
    return fail(errc::invalid_option, "write it as PLUGIN.NAME=VALUE");
  to[std::string(text.substr(0, dot))][std::string(text.substr(dot + 1, equals - dot - 1))] =
      text.substr(equals + 1);
  return {};
}

// -- from one version to the next ---------------------------------------------------------------

namespace {

/// The first option in which they differ, or null.
const char* difference(const plugin_handler& a, const plugin_handler& b) {
  if (a.event != b.event)
    return "event";
  if (a.blocks != b.blocks)
    return "blocks";
  if (a.options.filter != b.options.filter)
    return "filter";
  if (a.options.group != b.options.group)
    return "group";
  if (a.options.order != b.options.order)
    return "order";
  if (a.options.concurrency != b.options.concurrency)
    return "concurrency";
  if (a.options.overload != b.options.overload)
    return "overload";
  if (!(a.options == b.options))
    return "backlog, retry, limits or place of execution";
  return nullptr;
}

} // namespace

expected<void> check_swap(const plugin& from, const plugin& to) {
  const auto refuse = [&](const std::string& what) {
    return fail(errc::refused, "version " + std::string(to.version()) + " of plugin '" +
                                   std::string(to.name()) + "' has another " + what + " than " +
                                   std::string(from.version()) +
                                   ": a swap exchanges code, not how events come to it. Leave it "
                                   "as it was, or start the node anew with the new version");
  };
  if (!(from.scope() == to.scope()))
    return refuse("scope (restart strategy or intensity)");
  for (const auto& one : to.handlers())
    if (const auto* const old = find_handler(from, one.name))
      if (const char* const what = difference(*old, one))
        return refuse(std::string(what) + " in its handler '" + std::string(one.name) + "'");
  return {};
}

} // namespace edupulse
