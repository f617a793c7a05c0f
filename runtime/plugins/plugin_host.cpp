// Loading and listing; swapping is in swap.cpp.

#include "runtime/plugins/plugin_host.hpp"

#include "runtime/caf_behavior.hpp"
#include "runtime/node_access.hpp"
#include "runtime/plugins/crash_history.hpp"
#include "runtime/plugins/declared.hpp"
#include "runtime/plugins/probe.hpp"
#include "runtime/plugins/sha256_list.hpp"
#include <algorithm>

namespace edupulse {

namespace {

tl::unexpected<error> of_file(const std::filesystem::path& file, error&& what) {
  return fail(what.code, "plugin " + quote(file.native(), 512) + ": " + what.text);
}

expected<plugin_file> open_allowed(const std::filesystem::path& file,
                                   const plugin_host_options& how) {
  auto opened = plugin_file::open(file);
  if (opened && !how.allowed.empty())
    if (auto good = check_allowed(how.allowed, opened->sha256); !good)
      return of_file(file, std::move(good.error()));
  return opened;
}

struct loaded_code {
  const plugin* what;
  plugin_settings settings;
};

expected<loaded_code> admit_with(const plugin_values& settings, const plugin_file& opened,
                                 const std::filesystem::path& file,
                                 const std::filesystem::path& probe, duration patience) {
  const auto what = admit(opened, probe, patience);
  if (!what)
    return of_file(file, error(what.error()));
  auto values = settings_of(**what, settings);
  if (!values)
    return of_file(file, std::move(values.error()));
  return loaded_code{*what, std::move(*values)};
}

} // namespace

// -- impl -----------------------------------------------------------------------------------------

plugin_host::impl::impl(node& at, plugin_host_options options, std::filesystem::path probe)
    : at_(at), node_(node_access::impl(at)), options_(std::move(options)),
      probe_(std::move(probe)) {}

expected<void> plugin_host::impl::read_crashes() {
  const auto& data_dir = node_.options().data_dir;
  if (data_dir.empty() || options_.crashes_max == 0)
    return {};
  auto notes = crash_notes::open(data_dir, most_crashes());
  if (!notes)
    return tl::unexpected(notes.error());
  notes_ = std::move(*notes);
  for (const auto& one : notes_->found()) {
    const bool own = one.publisher == node_.identity().id;
    crashes_.push_back(
        {to_string(one.event), to_string(one.publisher), one.handler, one.proven, own, one.how});
    node_.say(log_level::error,
              "the process before this one died in handler " + quote(one.handler, 256) +
                  ", with event " + to_string(one.event) +
                  (own ? ", which was published here and is gone" : ", which comes again") + ": " +
                  one.how);
  }
  return {};
}

expected<std::vector<crash_record>>
plugin_host::impl::crash_records(std::string_view plugin) const {
  if (!notes_)
    return std::vector<crash_record>();
  auto history = crash_history::open(crash_history::file_in(node_.options().data_dir));
  if (!history)
    return tl::unexpected(history.error());
  return history->records(plugin, most_crashes());
}

expected<plugin_code_ptr> plugin_host::impl::bring_in(const std::filesystem::path& file,
                                                      const plugin_values& settings,
                                                      std::string_view expected_name) {
  auto opened = open_allowed(file, options_);
  if (!opened)
    return tl::unexpected(opened.error());
  const auto& manifest = opened->manifest;
  if (!expected_name.empty() && manifest.name != expected_name)
    return of_file(file, {errc::refused, "this is plugin '" + manifest.name +
                                             "', and cannot take over from '" +
                                             std::string(expected_name) + "'"});
  if (expected_name.empty() && loaded_.contains(manifest.name))
    return of_file(file, {errc::duplicate_name,
                          "a plugin named '" + manifest.name + "' is loaded already, from " +
                              quote(loaded_.at(manifest.name).now->file, 512) +
                              ": swap it for this one instead"});
  auto code = admit_with(settings, *opened, file, probe_, options_.probe_patience);
  if (!code)
    return tl::unexpected(code.error());
  return std::make_shared<const plugin_code>(
      plugin_code{++last_number_, code->what, std::move(code->settings), file.native(), notes_});
}

expected<void> plugin_host::impl::subscribe(const plugin_code_ptr& code,
                                            const plugin_handler& which, first_objects& ready,
                                            std::map<std::string, handover_ptr>& handovers) {
  auto filter = filter_of(which);
  if (!filter)
    return tl::unexpected(filter.error());
  const auto name = subscription_name(*code->what, which);
  auto between = std::make_shared<handover>(options_.snapshot_bytes_max);
  between->begin(code->number, std::move(ready[which.name]));
  auto done = node_.subscribe(name, std::move(*filter), recipe(code, which, between),
                              options_of(*code->what, which));
  if (done)
    handovers.emplace(name, std::move(between));
  return done;
}

handler_recipe plugin_host::impl::recipe(const plugin_code_ptr& code, const plugin_handler& which,
                                         const handover_ptr& between) {
  auto made = bare_recipe(code, which, between);
  if (options_.wrap)
    made.make = [make = std::move(made.make), wrap = options_.wrap,
                 name = subscription_name(*code->what, which)] { return wrap(name, make()); };
  return made;
}

handler_recipe plugin_host::impl::bare_recipe(const plugin_code_ptr& code,
                                              const plugin_handler& which,
                                              const handover_ptr& between) {
  if (which.behave == nullptr)
    return plugin_recipe(code, which, between);
  auto actor = behavior_recipe(node_.system(), [code, &which](caf::event_based_actor* self) {
    return which.behave(self, code->settings);
  });
  return {announced(std::move(actor.make), code->number, between), false};
}

/// Asked before anything of it is declared, since a scope stays.
expected<void> plugin_host::impl::check_subscriptions(const plugin& of) const {
  for (const auto& one : of.handlers()) {
    const auto name = subscription_name(of, one);
    if (at_.find(name))
      return fail(errc::duplicate_name,
                  "there is a subscription named '" + name +
                      "' on this node, and not of this plugin: unsubscribe it first");
    if (auto filter = filter_of(one); !filter)
      return tl::unexpected(filter.error());
    if (auto good = check_options(options_of(of, one)); !good)
      return fail(good.error().code, "handler '" + name + "': " + good.error().text);
  }
  return {};
}

expected<plugin_status> plugin_host::impl::load(const std::filesystem::path& file,
                                                const plugin_values& settings) {
  std::lock_guard guard(mutex_);
  auto code = bring_in(file, settings, {});
  if (!code)
    return tl::unexpected(code.error());
  auto ready = make_first_objects(**code);
  if (!ready)
    return of_file(file, std::move(ready.error()));
  const auto& what = *(*code)->what;
  if (auto good = check_subscriptions(what); !good)
    return of_file(file, error(good.error()));
  if (auto good = at_.scope(std::string(what.name()), what.scope()); !good)
    return of_file(file, error(good.error()));
  loaded_plugin fresh;
  fresh.now = *code;
  for (const auto& one : what.handlers())
    if (auto good = subscribe(*code, one, *ready, fresh.handovers); !good) {
      for (const auto& [name, between] : fresh.handovers)
        static_cast<void>(node_.unsubscribe(name));
      return of_file(file, error(good.error()));
    }
  const auto at = loaded_.emplace(what.name(), std::move(fresh)).first;
  node_.say(log_level::info, "plugin " + at->first + " " + std::string(what.version()) +
                                 " loaded from " + quote(file.native(), 512));
  return status_of(at->second, at_.subscriptions());
}

plugin_status plugin_host::impl::status_of(const loaded_plugin& of,
                                           const std::vector<subscription_status>& all) const {
  plugin_status result;
  result.name = of.now->what->name();
  result.version = of.now->what->version();
  result.file = of.now->file;
  result.state = "running";
  if (of.before)
    result.previous_version = of.before->what->version();
  for (const auto& [name, between] : of.handovers)
    result.subscriptions.push_back(name);
  for (const auto& one : all)
    if (of.handovers.contains(one.name) && one.state == "quarantined")
      result.state = one.state;
  return result;
}

std::vector<plugin_status> plugin_host::impl::list() const {
  const auto all = at_.subscriptions();
  std::lock_guard guard(mutex_);
  std::vector<plugin_status> result;
  for (const auto& [name, one] : loaded_)
    result.push_back(status_of(one, all));
  return result;
}

const event_type* plugin_host::impl::type_of(std::string_view event) const {
  std::lock_guard guard(mutex_);
  for (const auto& [name, one] : loaded_)
    if (const auto* const known = type_known(*one.now->what, event))
      return known;
  return nullptr;
}

// -- without a node -------------------------------------------------------------------------------

const event_type* plugin_parts::type_of(std::string_view event) const {
  return type_known(*what, event);
}

expected<plugin_parts> load_plugin(const std::filesystem::path& file, const plugin_values& settings,
                                   const plugin_host_options& options) {
  const auto probe = find_probe(options.probe);
  if (!probe)
    return tl::unexpected(probe.error());
  auto opened = open_allowed(file, options);
  if (!opened)
    return tl::unexpected(opened.error());
  const auto code = admit_with(settings, *opened, file, *probe, options.probe_patience);
  if (!code)
    return tl::unexpected(code.error());
  plugin_parts parts{std::move(opened->manifest), code->what->scope(), {}, code->what};
  for (const auto& one : code->what->handlers()) {
    auto filter = filter_of(one);
    if (!filter)
      return of_file(file, std::move(filter.error()));
    handler_recipe recipe;
    recipe.blocks = one.blocks;
    if (one.make != nullptr)
      recipe.make = [&one, settings = code->settings] { return one.make(settings); };
    parts.handlers.push_back({subscription_name(*code->what, one), std::move(*filter),
                              options_of(*code->what, one), std::move(recipe)});
  }
  return parts;
}

// -- the face -------------------------------------------------------------------------------------

plugin_host::plugin_host(std::unique_ptr<impl> inside) : impl_(std::move(inside)) {}
plugin_host::plugin_host(plugin_host&&) noexcept = default;
plugin_host& plugin_host::operator=(plugin_host&&) noexcept = default;
plugin_host::~plugin_host() = default;

expected<plugin_host> plugin_host::open(node& at, plugin_host_options options) {
  auto program = find_probe(options.probe);
  if (!program)
    return tl::unexpected(program.error());
  auto inside = std::make_unique<impl>(at, std::move(options), std::move(*program));
  if (auto good = inside->read_crashes(); !good)
    return tl::unexpected(good.error());
  return plugin_host(std::move(inside));
}

expected<plugin_status> plugin_host::load(const std::filesystem::path& file,
                                          const plugin_values& settings) {
  return impl_->load(file, settings);
}
expected<swap_report> plugin_host::swap(std::string_view name, const std::filesystem::path& file,
                                        const plugin_values& settings) {
  return impl_->swap(name, file, settings);
}
expected<swap_report> plugin_host::rollback(std::string_view name) { return impl_->rollback(name); }
std::vector<plugin_status> plugin_host::list() const { return impl_->list(); }
const event_type* plugin_host::type_of(std::string_view event) const {
  return impl_->type_of(event);
}
plugin_desk& plugin_host::desk() noexcept { return *impl_; }
const std::vector<crashed_call>& plugin_host::crashes() const noexcept { return impl_->crashes(); }
expected<std::vector<crash_record>> plugin_host::crash_records(std::string_view plugin) const {
  return impl_->crash_records(plugin);
}

} // namespace edupulse
