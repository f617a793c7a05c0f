#pragma once
// The manifest of a plugin: its description as JSON, written by the compiler. Its form is that of
// schemas/plugin.capnp. Nobody includes this but <edupulse/plugin.hpp>.

#include <array>
#include <cstddef>
#include <cstdint>
#include <edupulse/constant_json.hpp>
#include <edupulse/plugin_description.hpp>
#include <edupulse/plugin_fingerprint.hpp>
#include <string_view>

namespace edupulse::detail {

constexpr std::string_view word(event_order what) {
  return what == event_order::strict ? "strict" : "keyed";
}
constexpr std::string_view word(overload_policy what) {
  constexpr std::array<std::string_view, 5> words{"wait", "strict", "dropNewest", "dropOldest",
                                                  "latestPerKey"};
  return words[static_cast<std::size_t>(what)];
}
constexpr std::string_view word(execution_place what) {
  constexpr std::array<std::string_view, 4> words{"automatic", "shared", "ownThread", "inlined"};
  return words[static_cast<std::size_t>(what)];
}
constexpr std::string_view word(restart_kind what) {
  constexpr std::array<std::string_view, 3> words{"permanent", "transient", "temporary"};
  return words[static_cast<std::size_t>(what)];
}
constexpr std::string_view word(quarantine_policy what) {
  return what == quarantine_policy::wait ? "wait" : "deadLetter";
}
constexpr std::string_view word(after_dead_letter what) {
  return what == after_dead_letter::next ? "next" : "pauseKey";
}
constexpr std::string_view word(restart_strategy what) {
  constexpr std::array<std::string_view, 3> words{"oneForOne", "oneForAll", "restForOne"};
  return words[static_cast<std::size_t>(what)];
}
constexpr std::string_view word(plugin_setting::kind what) {
  constexpr std::array<std::string_view, 4> words{"text", "integer", "number", "flag"};
  return words[static_cast<std::size_t>(what)];
}

template <class Out>
constexpr void write_handler(json_writer<Out>& to, const plugin_handler& what) {
  const auto& how = what.options;
  to.open('{');
  to.text("name", what.name);
  to.text("event", what.event);
  to.text("filter", how.filter);
  to.text("group", how.group);
  to.text("order", word(how.order));
  to.integer("concurrency", how.concurrency);
  to.integer("window", how.window);
  to.integer("backlogEvents", static_cast<std::int64_t>(how.backlog_events));
  to.integer("backlogBytes", static_cast<std::int64_t>(how.backlog_bytes));
  to.text("overload", word(how.overload));
  to.milliseconds("stallAfterMs", how.stall_after);
  to.milliseconds("timeLimitMs", how.time_limit);
  to.text("execution", word(what.blocks && how.execution == execution_place::automatic
                                ? execution_place::own_thread
                                : how.execution));
  to.text("restart", word(how.restart));
  to.text("quarantine", word(how.quarantine));
  to.text("afterDeadLetter", word(how.dead));
  to.name("retry"), to.open('{');
  to.milliseconds("firstMs", how.retry.first);
  to.name("factor"), to.number(how.retry.factor);
  to.milliseconds("capMs", how.retry.cap);
  to.milliseconds("giveUpAfterMs", how.retry.give_up_after);
  to.integer("maxCrashes", how.retry.max_crashes);
  to.close('}');
  to.name("handsOver"), to.bare(what.snapshot != nullptr ? "true" : "false");
  to.name("cafBehavior"), to.bare(what.behave != nullptr ? "true" : "false");
  to.close('}');
}

template <class Out>
constexpr void write_setting(json_writer<Out>& to, const plugin_setting& what) {
  to.open('{');
  to.text("name", what.name);
  to.text("type", word(what.type));
  to.text("about", what.about);
  switch (what.type) {
  case plugin_setting::kind::text:
    to.text("text", what.text);
    break;
  case plugin_setting::kind::integer:
    to.integer("integer", what.integer);
    break;
  case plugin_setting::kind::number:
    to.name("number"), to.number(what.number);
    break;
  case plugin_setting::kind::flag:
    to.name("flag"), to.bare(what.flag ? "true" : "false");
    break;
  }
  to.close('}');
}

template <class Out> constexpr void write_manifest(Out& out, const plugin& what) {
  json_writer to(out);
  to.open('{');
  to.integer("format", 1);
  to.text("name", what.name());
  to.text("version", what.version());
  to.text("about", what.about());
  to.text("fingerprint", plugin_fingerprint);
  to.name("scope"), to.open('{');
  to.text("strategy", word(what.scope().strategy));
  to.integer("intensity", what.scope().intensity);
  to.milliseconds("periodMs", what.scope().period);
  to.milliseconds("backOffMs", what.scope().back_off);
  to.milliseconds("backOffCapMs", what.scope().back_off_cap);
  to.close('}');
  to.name("handlers"), to.open('[');
  for (const auto& one : what.handlers())
    write_handler(to, one);
  to.close(']');
  to.name("publishes"), to.open('[');
  for (const auto& one : what.publishes())
    to.text(one.name);
  to.close(']');
  to.name("settings"), to.open('[');
  for (const auto& one : what.settings())
    write_setting(to, one);
  to.close(']');
  to.close('}');
}

consteval std::size_t manifest_size(const plugin& of) {
  counting_out out;
  write_manifest(out, of);
  return out.size;
}
template <std::size_t N> consteval std::array<char, N> manifest_text(const plugin& of) {
  array_out<N> out;
  write_manifest(out, of);
  return out.text;
}

} // namespace edupulse::detail
