#include "runtime/control/verbs.hpp"

namespace edupulse::control {

namespace {

/// Calls `f` with the desk, one call after the other.
template <class F> expected<void> at_desk(bench& on, F f) {
  if (on.plugins == nullptr)
    return fail(errc::refused, "this node takes no plugins");
  std::lock_guard guard(on.one_plugin_call);
  return f(*on.plugins);
}

plugin_desk::setting_list read_settings(capnp::List<PluginSetting>::Reader from) {
  plugin_desk::setting_list all;
  for (const auto one : from)
    all.emplace_back(view(one.getName()), view(one.getValue()));
  return all;
}

void tell_names(const std::vector<std::string>& from, capnp::List<capnp::Text>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i)
    to.set(i, from[i]);
}

void tell_plugin(const plugin_status& from, Plugin::Builder to) {
  to.setName(from.name);
  to.setVersion(from.version);
  to.setFile(from.file);
  to.setState(from.state);
  tell_names(from.subscriptions, to.initHandlers(count_of(from.subscriptions.size())));
  to.setCanRollBack(!from.previous_version.empty());
  to.setPreviousVersion(from.previous_version);
}

/// `how`: a line, and where it happened below it, if that is known.
void tell_crash(const crash_record& from, Crash::Builder to) {
  constexpr std::string_view where = ", at\n";
  const std::string_view how = from.how;
  const auto end = how.find(where);
  to.setEvent(from.event);
  to.setHandler(from.handler);
  to.setVersion(from.version);
  to.setSignal(std::string(how.substr(0, end)));
  to.setLastMs(from.last_ms);
  to.setDeaths(from.deaths);
  to.setProven(from.proven);
  to.setRefused(from.refused);
  if (end != std::string_view::npos)
    to.setBacktrace(std::string(how.substr(end + where.size())));
}

expected<void> tell_swapped(const expected<swap_report>& done, Answer::Builder answer) {
  if (!done)
    return tl::unexpected(done.error());
  auto to = answer.initSwapped();
  to.setFrom(done->from);
  to.setTo(done->to);
  tell_names(done->removed, to.initRemoved(count_of(done->removed.size())));
  tell_names(done->added, to.initAdded(count_of(done->added.size())));
  tell_names(done->handed_over, to.initHandedOver(count_of(done->handed_over.size())));
  tell_names(done->not_handed_over, to.initNotHandedOver(count_of(done->not_handed_over.size())));
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(done->took);
  to.setTookMs(static_cast<std::uint64_t>(took.count()));
  return {};
}

} // namespace

expected<void> list_plugins(bench& on, Answer::Builder to) {
  return at_desk(on, [&](plugin_desk& desk) -> expected<void> {
    const auto known = desk.list();
    auto all = to.initPlugins(count_of(known.size()));
    for (unsigned i = 0; i < all.size(); ++i)
      tell_plugin(known[i], all[i]);
    return {};
  });
}

expected<void> load_plugin(bench& on, PluginLoad::Reader what, Answer::Builder to) {
  return at_desk(on, [&](plugin_desk& desk) -> expected<void> {
    const auto loaded = desk.load(view(what.getFile()), read_settings(what.getSettings()));
    if (!loaded)
      return tl::unexpected(loaded.error());
    tell_plugin(*loaded, to.initPlugin());
    return {};
  });
}

expected<void> swap_plugin(bench& on, PluginSwap::Reader what, Answer::Builder to) {
  return at_desk(on, [&](plugin_desk& desk) {
    return tell_swapped(
        desk.swap(view(what.getName()), view(what.getFile()), read_settings(what.getSettings())),
        to);
  });
}

expected<void> roll_back_plugin(bench& on, std::string_view name, Answer::Builder to) {
  return at_desk(on, [&](plugin_desk& desk) { return tell_swapped(desk.rollback(name), to); });
}

expected<void> list_crashes(bench& on, std::string_view plugin, Answer::Builder to) {
  return at_desk(on, [&](const plugin_desk& desk) -> expected<void> {
    const auto known = desk.crash_records(plugin);
    if (!known)
      return tl::unexpected(known.error());
    auto all = to.initCrashes(count_of(known->size()));
    for (unsigned i = 0; i < all.size(); ++i)
      tell_crash((*known)[i], all[i]);
    return {};
  });
}

} // namespace edupulse::control
