#include "plan.hpp"
#include "schemas/nearest.hpp"
#include "words.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace edupulse::simulator {

namespace {

constexpr std::array fault_names = {"kill",    "stop", "leave", "partition", "cut",
                                    "one-way", "slow", "flap",  "reset",     "late"};

tl::unexpected<error> wrong(std::string text) {
  return fail(errc::invalid_option, std::move(text));
}

std::vector<std::string> split(std::string_view text, std::string_view at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(at), text.size());
    if (end > 0)
      parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

expected<double> number_in(std::string_view text, std::string_view of) {
  double value = 0;
  const auto* end = text.data() + text.size();
  if (text.empty() || std::from_chars(text.data(), end, value).ptr != end || !std::isfinite(value))
    return wrong(quote(text) + " is no number, in " + quote(of));
  return value;
}

/// Of a name that `validate` has let pass.
overload_policy overload_of(const std::string& name) {
  if (name == "strict")
    return overload_policy::strict;
  if (name == "drop_newest")
    return overload_policy::drop_newest;
  if (name == "drop_oldest")
    return overload_policy::drop_oldest;
  return name == "latest_per_key" ? overload_policy::latest_per_key : overload_policy::wait;
}

} // namespace

expected<fault_word> fault_called(std::string_view name) {
  const auto at = std::find(fault_names.begin(), fault_names.end(), name);
  if (at == fault_names.end())
    return wrong("there is no fault " + quote(name) +
                 did_you_mean(name, {fault_names.begin(), fault_names.end()}));
  return static_cast<fault_word>(at - fault_names.begin());
}

expected<std::size_t> node_called(std::string_view name) {
  std::size_t number = 0;
  const auto* end = name.data() + name.size();
  if (name.empty() || name.front() != 'n' ||
      std::from_chars(name.data() + 1, end, number).ptr != end || number == 0)
    return wrong("nodes are called n1, n2 ..., and not " + quote(name));
  return number - 1;
}

expected<std::vector<std::size_t>> nodes_called(const std::vector<std::string>& names) {
  std::vector<std::size_t> all;
  for (const auto& one : names) {
    const auto number = node_called(one);
    if (!number)
      return tl::unexpected(number.error());
    all.push_back(*number);
  }
  return all;
}

duration seconds_of(double seconds) {
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

namespace {
bool is_on(std::size_t node, const std::vector<std::size_t>& nodes) {
  return nodes.empty() || std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}
} // namespace

bool handler_plan::runs_on(std::size_t node) const { return is_on(node, nodes); }
bool plugin_plan::runs_on(std::size_t node) const { return is_on(node, nodes); }

subscription_options handler_plan::options() const {
  subscription_options made;
  made.group = group;
  made.backlog_events = backlog;
  made.overload = overload_of(overload);
  made.stall_after = seconds_of(stall_after);
  return made;
}

std::string name_of(std::size_t node) { return "n" + std::to_string(node + 1); }

std::string to_string(const fault_plan& what) {
  std::string text = fault_names[static_cast<std::size_t>(what.what)];
  for (const auto one : what.nodes)
    text += " " + name_of(one);
  char more[64];
  if (what.delay_ms > 0) {
    std::snprintf(more, sizeof more, ", %g ms", what.delay_ms);
    text += more;
  }
  if (what.bytes_per_second > 0) {
    std::snprintf(more, sizeof more, ", %g bytes/s", what.bytes_per_second);
    text += more;
  }
  return text;
}

std::string as_option(const fault_plan& what) {
  std::string text = fault_names[static_cast<std::size_t>(what.what)];
  for (std::size_t i = 0; i < what.nodes.size(); ++i)
    text += (i == 0 ? ":" : "/") + name_of(what.nodes[i]);
  char times[64];
  std::snprintf(times, sizeof times, what.lasts > 0 ? "@%g+%g" : "@%g", what.at, what.lasts);
  return text + times;
}

bool plan::may(std::string_view what) const {
  return std::find(allows.begin(), allows.end(), what) != allows.end();
}

bool plan::needs_relay() const {
  return std::any_of(faults.begin(), faults.end(),
                     [](const fault_plan& one) { return one.is_of_network(); });
}

std::optional<double> plan::seconds() const {
  return rate > 0 ? std::optional(static_cast<double>(events) / rate) : std::nullopt;
}

// -- from a command line ---------------------------------------------------------------------

expected<std::vector<fault_plan>> parse_faults(std::string_view list) {
  std::vector<fault_plan> all;
  for (const auto& one : split(list, ", ")) {
    fault_plan made;
    const auto at = one.find('@');
    if (at == one.npos)
      return wrong("a fault is WHAT:NODES@SECOND or WHAT:NODES@SECOND+SECONDS, as in "
                   "`kill:n2@3+4`, and not " +
                   quote(one));
    const auto colon = std::min(one.find(':'), at);
    const auto word = fault_called(one.substr(0, colon));
    if (!word)
      return tl::unexpected(word.error());
    made.what = *word;
    if (colon < at) {
      auto nodes = nodes_called(split(one.substr(colon + 1, at - colon - 1), "/"));
      if (!nodes)
        return tl::unexpected(nodes.error());
      made.nodes = std::move(*nodes);
    }
    const auto times = split(std::string_view(one).substr(at + 1), "+");
    if (times.empty() || times.size() > 2)
      return wrong("when? " + quote(one));
    const auto begin = number_in(times[0], one);
    const auto lasts = times.size() == 2 ? number_in(times[1], one) : expected<double>(0);
    if (!begin || !lasts)
      return tl::unexpected((begin ? lasts : begin).error());
    made.at = *begin;
    made.lasts = *lasts;
    if (made.what == fault_word::slow && made.delay_ms == 0)
      made.delay_ms = 100;
    all.push_back(std::move(made));
  }
  return all;
}

expected<std::vector<handler_plan>> parse_handlers(std::string_view list) {
  std::vector<handler_plan> all;
  for (const auto& one : split(list, ",")) {
    const auto words = split(one, " ");
    if (words.empty())
      continue;
    handler_plan made;
    const auto at = std::min(words[0].find('@'), words[0].size());
    made.name = words[0].substr(0, at);
    auto nodes = nodes_called(
        split(std::string_view(words[0]).substr(std::min(at + 1, words[0].size())), "/"));
    if (!nodes)
      return tl::unexpected(nodes.error());
    made.nodes = std::move(*nodes);
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto is = std::min(words[i].find('='), words[i].size());
      const auto key = words[i].substr(0, is);
      const auto text = words[i].substr(std::min(is + 1, words[i].size()));
      if (key == "group") {
        made.group = text;
        continue;
      }
      if (key == "overload") {
        made.overload = text;
        continue;
      }
      const auto value = number_in(text, words[i]);
      if (!value)
        return tl::unexpected(value.error());
      if (key == "takes")
        made.takes_ms = *value;
      else if (key == "throws")
        made.throws = *value;
      else if (key == "poison")
        made.poison_every = static_cast<std::uint64_t>(*value);
      else if (key == "stall")
        made.stall_after = *value;
      else if (key == "backlog")
        made.backlog = static_cast<std::uint64_t>(*value);
      else
        return wrong("a handler has no " + quote(key) +
                     did_you_mean(key, {"group", "overload", "takes", "throws", "poison", "stall",
                                        "backlog"}));
    }
    all.push_back(std::move(made));
  }
  return all;
}

// -- what does not fit --------------------------------------------------------------------------

namespace {

expected<void> validate_handler(const plan& all, const handler_plan& one) {
  const auto said = "handler " + quote(one.name);
  if (!one.of_plugin && (one.name.empty() || one.name.size() > 64))
    return wrong("a handler needs a name of 1 to 64 bytes");
  for (const auto node : one.nodes)
    if (node >= all.nodes)
      return wrong(said + " runs on " + name_of(node) + ", and there are " +
                   std::to_string(all.nodes) + " nodes");
  if (one.throws < 0 || one.throws > 1)
    return wrong(said + ": `throws` is a share, 0 to 1");
  if (one.takes_ms < 0 || one.takes_ms > 60'000)
    return wrong(said + ": a call takes 0 to 60,000 ms");
  if (one.backlog == 0)
    return wrong(said + ": a backlog holds one event at least");
  constexpr std::array policies = {"wait", "strict", "drop_newest", "drop_oldest",
                                   "latest_per_key"};
  if (std::find(policies.begin(), policies.end(), one.overload) == policies.end())
    return wrong(said + ": there is no overload policy " + quote(one.overload) +
                 did_you_mean(one.overload, {policies.begin(), policies.end()}));
  return {};
}

expected<void> validate_fault(const plan& all, const fault_plan& one) {
  const auto said = quote(to_string(one));
  for (const auto node : one.nodes)
    if (node >= all.nodes)
      return wrong(said + ": there are " + std::to_string(all.nodes) + " nodes, n1 to " +
                   name_of(all.nodes - 1));
  const bool of_pair = one.what == fault_word::one_way;
  const bool of_several = one.is_of_network() && one.what != fault_word::partition;
  if (of_pair ? one.nodes.size() != 2 : of_several ? one.nodes.size() < 2 : one.nodes.empty())
    return wrong(said + " needs " +
                 (of_pair      ? "two nodes"
                  : of_several ? "two nodes or more"
                               : "a node"));
  if (one.at < 0 || one.at > 3600 || one.lasts < 0 || one.lasts > 3600)
    return wrong(said + ": a run is an hour at most");
  if (one.what == fault_word::partition && one.nodes.size() >= all.nodes)
    return wrong(said + " leaves nobody on the other side");
  if (one.what == fault_word::flap && one.period < 0.1)
    return wrong(said + ": `period` is a tenth of a second or more");
  return {};
}

} // namespace

expected<void> validate(const plan& what, std::size_t most_nodes) {
  if (what.nodes == 0 || what.nodes > most_nodes)
    return wrong("there can be 1 to " + std::to_string(most_nodes) +
                 " nodes in this mode, and not " + std::to_string(what.nodes));
  if (what.publishers == 0 || what.publishers > what.nodes)
    return wrong("there can be 1 to " + std::to_string(what.nodes) + " publishers, and not " +
                 std::to_string(what.publishers));
  if (what.events == 0 || what.events > 100'000'000)
    return wrong("there can be 1 to 100,000,000 events, and not " + std::to_string(what.events));
  if (what.rate < 0 || what.rate > 10'000'000)
    return wrong("a rate is 0 (as fast as it goes) to 10,000,000 events a second");
  if (what.keys == 0)
    return wrong("there is one key at least");
  if (what.level != "acknowledged" && what.level != "best_effort")
    return wrong("there is no level " + quote(what.level) +
                 did_you_mean(what.level, {"acknowledged", "best_effort"}));
  if (what.profile != "local" && what.profile != "lan" && what.profile != "wan")
    return wrong("there is no profile " + quote(what.profile) +
                 did_you_mean(what.profile, {"local", "lan", "wan"}));
  if (what.handlers.empty())
    return wrong("nobody handles anything: give a [[handler]], --handlers or --plugin");
  if (what.handlers.size() > 64)
    return wrong("there can be 64 handlers, those of plugins among them, and not " +
                 std::to_string(what.handlers.size()));
  for (const auto& one : what.handlers)
    if (auto good = validate_handler(what, one); !good)
      return good;
  for (const auto& one : what.faults)
    if (auto good = validate_fault(what, one); !good)
      return good;
  for (const auto& one : what.allows)
    if (one != "dead" && one != "dropped" && one != "crashed")
      return wrong("what can be allowed is \"dead\", \"dropped\" and \"crashed\", and not " +
                   quote(one));
  return {};
}

} // namespace edupulse::simulator
