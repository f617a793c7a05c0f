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
      all.push_back({name, &one, other, which.handovers.at(name)});
  }
  return all;
}

expected<void> plugin_host::impl::exchange(std::vector<follow>& all, const plugin_code_ptr& to,
                                           first_objects&& ready) {
  for (auto& one : all)
    one.between->begin(to->number, std::move(ready[one.new_one->name]));
  expected<void> exchanged;
  for (const auto& one : all) {
    auto options = options_of(*to->what, *one.new_one);
    options.time_limit = one.old_one->options.time_limit; // of the call that it is in
    auto done = node_.change_options(one.subscription, options);
    if (done)
      done = node_.replace(one.subscription, recipe(to, *one.new_one, one.between));
    if (!done && exchanged)
      exchanged = done;
  }
  resume_if_quarantined(all);
  if (exchanged)
    exchanged = wait_for(all);
  for (const auto& one : all)
    static_cast<void>(node_.change_options(one.subscription, options_of(*to->what, *one.new_one)));
  return exchanged;
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

expected<void> plugin_host::impl::go_over(turn& what) {
  for (const auto& one : what.to->what->handlers())
    if (find_handler(*what.from->what, one.name) == nullptr)
      if (auto good = subscribe(what.to, one, what.ready, what.added); !good)
        return good;
  if (auto good = node_.change_limits(std::string(what.to->what->name()), what.to->what->scope());
      !good)
    return good;
  what.begun = std::chrono::steady_clock::now();
  return exchange(what.both, what.to, std::move(what.ready));
}

void plugin_host::impl::go_back(turn& what) {
  static_cast<void>(
      node_.change_limits(std::string(what.from->what->name()), what.from->what->scope()));
  if (what.begun) {
    for (auto& one : what.both)
      std::swap(one.old_one, one.new_one);
    static_cast<void>(exchange(what.both, what.from, {})); // it comes up, or it did not before
    for (const auto& one : what.both)
      one.between->end();
  }
  for (const auto& [name, between] : what.added)
    static_cast<void>(node_.unsubscribe(name));
}

/// The new version is at work: what of the old one is left goes.
swap_report plugin_host::impl::settle(turn& what, loaded_plugin& which) {
  swap_report report;
  report.from = what.from->what->version();
  report.to = what.to->what->version();
  for (const auto& one : what.both)
    if (const auto [lanes, loss] = one.between->end(); !loss.empty())
      report.not_handed_over.push_back(one.subscription + ": " + loss);
    else if (lanes > 0)
      report.handed_over.push_back(one.subscription);
  for (auto& [name, between] : what.added) {
    report.added.push_back(name);
    which.handovers.emplace(name, std::move(between));
  }
  for (const auto& one : what.from->what->handlers())
    if (find_handler(*what.to->what, one.name) == nullptr) {
      const auto name = subscription_name(*what.from->what, one);
      report.removed.push_back(name);
      which.handovers.erase(name);
      static_cast<void>(node_.unsubscribe(name));
    }
  which.before = what.from;
  which.now = what.to;
  return report;
}

expected<swap_report> plugin_host::impl::take_over(loaded_plugin& which,
                                                   const plugin_code_ptr& to) {
  const auto from = which.now;
  if (auto good = check_swap(*from->what, *to->what); !good)
    return tl::unexpected(good.error());
  auto ready = make_first_objects(*to);
  if (!ready)
    return tl::unexpected(stays(*from->what, ready.error()));
  turn what{from, to, std::move(*ready), handlers_of_both(which, to)};
  if (auto good = go_over(what); !good) {
    go_back(what);
    return tl::unexpected(stays(*from->what, good.error()));
  }
  const auto took = std::chrono::steady_clock::now() - *what.begun;
  auto report = settle(what, which);
  report.took = took;
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
