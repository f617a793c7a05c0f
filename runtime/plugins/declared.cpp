#include "runtime/plugins/declared.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

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
  if (to.execution == execution_place::automatic)
    to.execution = which.blocks ? execution_place::own_thread : execution_place::shared;
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
    const auto at = std::find_if(all.begin(), all.end(),
                                 [&, &name = name](const auto& one) { return one.name == name; });
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

using named_value = std::pair<const char*, std::string>;

std::string in_words(duration what) {
  constexpr auto ms = std::chrono::milliseconds(1);
  return what % ms == duration::zero() ? std::to_string(what / ms) + " ms"
                                       : std::to_string(what.count()) + " ns";
}

/// What a swap does not change: it decides which events wait for a handler, where, and in which
/// order, and publishers and other nodes go by it.
std::vector<named_value> fixed_options(const plugin_handler& of) {
  const auto& how = of.options;
  const auto text = [](std::string_view from) { return from.empty() ? "none" : quote(from); };
  const auto word = [](auto what) { return std::string(detail::word(what)); };
  return {{"event", text(of.event)},
          {"filter", text(how.filter)},
          {"group", text(how.group)},
          {"order", word(how.order)},
          {"concurrency", std::to_string(how.concurrency)},
          {"window", std::to_string(how.window)},
          {"backlog_events", std::to_string(how.backlog_events)},
          {"backlog_bytes", std::to_string(how.backlog_bytes)},
          {"overload", word(how.overload)},
          {"stall_after", in_words(how.stall_after)},
          {"dead", word(how.dead)}};
}

std::vector<named_value> fixed_options(const scope_options& of) {
  return {{"strategy", std::string(detail::word(of.strategy))}};
}

/// "`order` strict, and 1.0.0 has keyed"; empty when they agree.
template <class What>
std::string difference(const What& old_one, const What& new_one, std::string_view old_version) {
  const auto before = fixed_options(old_one);
  const auto after = fixed_options(new_one);
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i] != after[i])
      return std::string("`") + after[i].first + "` " + after[i].second + ", and " +
             std::string(old_version) + " has " + before[i].second;
  return {};
}

} // namespace

expected<void> check_swap(const plugin& from, const plugin& to) {
  const auto refuse = [&](const std::string& where, const std::string& what) {
    return fail(errc::refused, "version " + std::string(to.version()) + " of plugin '" +
                                   std::string(to.name()) + "' has in its " + where + " " + what +
                                   ": a swap exchanges code, not how events come to it. Leave it "
                                   "as it was, or start the node anew with the new version");
  };
  if (const auto what = difference(from.scope(), to.scope(), from.version()); !what.empty())
    return refuse("scope", what);
  for (const auto& one : to.handlers()) {
    if (auto good = check_options(options_of(to, one)); !good)
      return fail(good.error().code,
                  "handler '" + std::string(one.name) + "': " + good.error().text);
    if (const auto* const old = find_handler(from, one.name))
      if (const auto what = difference(*old, one, from.version()); !what.empty())
        return refuse("handler '" + std::string(one.name) + "'", what);
  }
  return {};
}

} // namespace edupulse
