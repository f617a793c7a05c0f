// One version of a plugin takes over from another.
//
// First everything that can fail without harm: the file is opened, probed and loaded, its settings
// and options are compared, and the new objects are made while the old ones still work. Then each
// handler is exchanged at the end of the call it is in. Should a new one not come up after all, the
// old version takes over again, with the state as it was left.

#include "runtime/plugins/declared.hpp"
#include "runtime/plugins/plugin_host.hpp"
#include <algorithm>

namespace edupulse {

namespace {

/// The first objects of a handler. What their constructors throw is an error here: nothing has been
/// stopped yet.
expected<std::vector<std::unique_ptr<handler>>> make_ready(const plugin_code& code,
                                                           const plugin_handler& which) {
  std::vector<std::unique_ptr<handler>> ready;
  try {
    for (std::uint32_t i = 0; which.make != nullptr && i < which.options.concurrency; ++i)
      ready.push_back(which.make(code.settings));
    return ready;
  } catch (...) {
    return fail(errc::refused, "handler '" + std::string(which.name) +
                                   "': its constructor threw: " + text_of_current_exception());
  }
}

error stays(const plugin& at, const error& why) {
  return {why.code, "plugin '" + std::string(at.name()) + "' stays at " +
                        std::string(at.version()) + ": " + why.text};
}

} // namespace

std::vector<plugin_host::impl::follow>
plugin_host::impl::handlers_of_both(const loaded_plugin& which, const plugin_code_ptr& to) const {
  std::vector<follow> all;
  for (const auto& one : which.now->what->handlers()) {
    const auto name = subscription_name(*which.now->what, one);
    const auto* const other = find_handler(*to->what, one.name);
    if (other != nullptr && which.handovers.contains(name) && node_.has(name))
      all.push_back({name, &one, other, which.handovers.at(name), {}});
  }
  return all;
}

expected<void> plugin_host::impl::exchange(std::vector<follow>& all, const plugin_code_ptr& to) {
  for (auto& one : all)
    one.between->begin(to->number, std::exchange(one.ready, {}));
  expected<void> exchanged;
  for (const auto& one : all)
    if (auto done = node_.replace(one.subscription, recipe(to, *one.new_one, one.between));
        !done && exchanged)
      exchanged = done;
  resume_if_quarantined(all);
  return exchanged ? wait_for(all) : exchanged;
}

/// A version that is quarantined is swapped for one that works.
void plugin_host::impl::resume_if_quarantined(const std::vector<follow>& all) {
  for (const auto& one : at_.subscriptions())
    if (one.state == "quarantined" && std::any_of(all.begin(), all.end(), [&](const follow& each) {
          return each.subscription == one.name;
        }))
      static_cast<void>(node_.command("resume", one.name, &router::resume));
}

expected<void> plugin_host::impl::wait_for(const std::vector<follow>& all) const {
  duration longest{};
  for (const auto& one : all)
    longest = std::max(longest, one.old_one->options.time_limit);
  const auto until = std::chrono::steady_clock::now() + longest + options_.swap_patience;
  for (const auto& one : all)
    if (auto up = one.between->wait(one.new_one->options.concurrency, until); !up)
      return fail(up.error().code, "handler '" + one.subscription + "': " + up.error().text);
  return {};
}

expected<swap_report> plugin_host::impl::take_over(loaded_plugin& which, plugin_code_ptr to) {
  const auto from = which.now;
  swap_report report;
  report.from = from->what->version();
  report.to = to->what->version();
  if (auto good = check_swap(*from->what, *to->what); !good)
    return tl::unexpected(good.error());
  auto both = handlers_of_both(which, to);
  for (auto& one : both) {
    auto ready = make_ready(*to, *one.new_one);
    if (!ready)
      return tl::unexpected(stays(*from->what, ready.error()));
    one.ready = std::move(*ready);
  }
  std::map<std::string, handover_ptr> added;
  const auto take_back = [&](const error& why) {
    for (const auto& [name, between] : added)
      static_cast<void>(node_.unsubscribe(name));
    return tl::unexpected(stays(*from->what, why));
  };
  for (const auto& one : to->what->handlers())
    if (find_handler(*from->what, one.name) == nullptr)
      if (auto good = subscribe(to, one, added); !good)
        return take_back(good.error());
  const auto begun = std::chrono::steady_clock::now();
  if (auto good = exchange(both, to); !good) {
    for (auto& one : both)
      std::swap(one.old_one, one.new_one);
    static_cast<void>(exchange(both, from)); // it comes up as before, or it did not before
    for (const auto& one : both)
      one.between->end();
    return take_back(good.error());
  }
  report.took = std::chrono::steady_clock::now() - begun;
  for (const auto& one : both)
    if (const auto [lanes, loss] = one.between->end(); !loss.empty())
      report.not_handed_over.push_back(one.subscription + ": " + loss);
    else if (lanes > 0)
      report.handed_over.push_back(one.subscription);
  for (auto& [name, between] : added) {
    report.added.push_back(name);
    which.handovers.emplace(name, std::move(between));
  }
  for (const auto& one : from->what->handlers())
    if (find_handler(*to->what, one.name) == nullptr) {
      const auto name = subscription_name(*from->what, one);
      report.removed.push_back(name);
      which.handovers.erase(name);
      static_cast<void>(node_.unsubscribe(name));
    }
  which.before = from;
  which.now = to;
  node_.say(log_level::info, "plugin " + std::string(to->what->name()) + ": version " + report.to +
                                 " took over from " + report.from);
  return report;
}

expected<plugin_host::impl::loaded_plugin*> plugin_host::impl::find(std::string_view name) {
  const auto at = loaded_.find(name);
  if (at == loaded_.end())
    return fail(errc::not_found, "there is no plugin named " + quote(name) + " on this node");
  return &at->second;
}

expected<swap_report> plugin_host::impl::swap(std::string_view name,
                                              const std::filesystem::path& file,
                                              const plugin_values& settings) {
  std::lock_guard guard(mutex_);
  const auto which = find(name);
  if (!which)
    return tl::unexpected(which.error());
  auto code = bring_in(file, settings, name);
  if (!code)
    return tl::unexpected(code.error());
  return take_over(**which, *code);
}

expected<swap_report> plugin_host::impl::rollback(std::string_view name) {
  std::lock_guard guard(mutex_);
  const auto which = find(name);
  if (!which)
    return tl::unexpected(which.error());
  if (!(*which)->before)
    return fail(errc::not_found, "plugin '" + std::string(name) +
                                     "' has not been swapped: there is nothing to go back to");
  return take_over(**which, (*which)->before);
}

} // namespace edupulse
