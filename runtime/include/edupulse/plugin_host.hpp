#pragma once
// Plugins in a node: load, swap for another version, roll back. Link edupulse::plugin_host.
//
//   auto plugins = edupulse::plugin_host::open(node, {}).value();
//   plugins.load("/opt/app/libsearch_indexer.so", {{"path", "/var/lib/app/index.db"}});
//   plugins.swap("search-indexer", "/opt/app/libsearch_indexer-2.so", {});
//
// How a plugin is written is in <edupulse/plugin.hpp>.

#include <chrono>
#include <edupulse/node.hpp>
#include <edupulse/read_plugin.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

class plugin;
class plugin_desk;

/// By name; a name that the plugin does not declare is an error.
using plugin_values = std::map<std::string, std::string>;
/// "PLUGIN.NAME=VALUE", as command lines have it, into `to`, by plugin. Errors: `invalid_option`,
/// saying how it is written.
expected<void> add_plugin_value(std::string_view text, std::map<std::string, plugin_values>& to);

struct plugin_status {
  std::string name;
  std::string version;
  std::string file;
  /// running, quarantined
  std::string state;
  std::vector<std::string> subscriptions; ///< PLUGIN.HANDLER
  std::string previous_version;           ///< what `rollback` goes back to; empty: nothing
};

/// What a swap or a rollback did.
struct swap_report {
  std::string from; ///< versions
  std::string to;
  /// Handlers of which the new version has none. What was waiting for them is dropped and counted.
  std::vector<std::string> removed;
  std::vector<std::string> added;
  /// Handlers whose new objects began with what the old ones handed over.
  std::vector<std::string> handed_over;
  /// Those for which that failed, each with why: they began anew.
  std::vector<std::string> not_handed_over;
  duration took{}; ///< from the first stop of an old handler to the last start of a new one
};

struct plugin_host_options {
  /// The program that loads a plugin first, in a process of its own. Empty: edupulse-plugin-probe
  /// beside this program, else in /usr/local/bin or /usr/bin.
  std::filesystem::path probe{};
  /// A file as `sha256sum` writes it, at an absolute path that others cannot change: only plugins
  /// whose digest is in it are loaded. Read at each load and swap. Empty: no such list.
  std::filesystem::path allowed{};
  /// For the probe to load the plugin and say so.
  duration probe_patience = std::chrono::seconds(5);
  /// For a swap's handlers to end their calls and start again, beyond their own time limits.
  duration swap_patience = std::chrono::seconds(10);
  /// Bytes that one object may hand over to its successor.
  std::size_t snapshot_bytes_max = std::size_t{64} << 20;
  /// Deaths of the process by a handler's own call, as `watch_for_crashes` sees them, until that
  /// handler is not given that event again: it becomes a dead letter with the signal and where it
  /// happened. 0: never. Needs a data directory.
  std::uint32_t crashes_max = 2;
  /// The same for deaths that nobody saw, such as SIGKILL while memory ran out, when it was in a
  /// call. Too small: an event that takes long is refused after some hard restarts of the node.
  std::uint32_t deaths_max = 5;
  /// Is given each handler object that is made, and the name of its subscription, and answers what
  /// takes its place: for whoever looks over its shoulder. Called where the object is made.
  std::function<std::unique_ptr<handler>(std::string_view subscription, std::unique_ptr<handler>)>
      wrap{};
};

/// A plugin in this process without a node: for whoever runs its handlers elsewhere.
struct plugin_parts {
  struct handler {
    std::string subscription; ///< PLUGIN.HANDLER
    topic_filter filter;
    subscription_options options; ///< in the scope that is named as the plugin
    handler_recipe recipe;        ///< `make` is empty when it is a CAF actor, which a node runs
  };
  plugin_manifest manifest;
  scope_options scope;
  std::vector<handler> handlers;
  const plugin* what = nullptr; ///< never unloaded

  /// Of an event that it takes or publishes; null when there is none.
  const event_type* type_of(std::string_view event) const;
};

/// Checked, probed and loaded for good, as `plugin_host::load` does it. Of `options` `probe`,
/// `probe_patience` and `allowed` matter. Errors: as there.
expected<plugin_parts> load_plugin(const std::filesystem::path& file, const plugin_values& settings,
                                   const plugin_host_options& options = {});

/// A call that the process before this one died in.
struct crashed_call {
  std::string event;     ///< its id
  std::string publisher; ///< the id of the node that published it
  std::string handler;   ///< PLUGIN.HANDLER@VERSION
  bool proven = false;   ///< its own thread crashed; else it is one of those that ran then
  /// Published on this node itself, and so gone with it. Events of other nodes come again.
  bool lost = false;
  std::string how; ///< the signal, and where
};

/// An event that a handler of a plugin had when the process died, over the last week.
struct crash_record {
  std::string event;   ///< its id
  std::string handler; ///< PLUGIN.HANDLER
  std::string version; ///< of the plugin; another one may be given the event
  std::uint32_t deaths = 0;
  std::uint32_t proven = 0; ///< of them, those in which its own thread crashed
  bool refused = false;     ///< that version is not given the event again; else it is suspected
  std::string how;          ///< of the last time: the signal, and where
  std::int64_t last_ms = 0; ///< Unix time
};

/// From now on a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) or exit() in a handler of a
/// plugin is noted before the process dies as it would have. For programs to decide: it takes the
/// handlers of those signals, calls the ones that were there before, and stays. Call it once,
/// early.
void watch_for_crashes();

/// Any thread; one load, swap or rollback at a time, the others wait. Not from handlers: they would
/// wait for themselves.
class plugin_host {
public:
  /// `at` must outlive it. Errors: `not_found`, when there is no program to probe with; `io` for
  /// the notes of crashes in the data directory.
  static expected<plugin_host> open(node& at, plugin_host_options options = {});
  plugin_host(plugin_host&&) noexcept;
  plugin_host& operator=(plugin_host&&) noexcept;
  /// The plugins stay: they end with the node.
  ~plugin_host();

  /// `file`: an absolute path without `..` and symbolic links, that only root and the owner of this
  /// process can change; what is loaded is a private copy. Errors: `refused`, saying why in a
  /// sentence, also for what a handler's constructor throws; `duplicate_name` for a plugin, or a
  /// subscription, that is there already;
  /// `invalid_option` for a setting; `io`; those of `node::subscribe`.
  expected<plugin_status> load(const std::filesystem::path& file, const plugin_values& settings);
  /// The version in `file`, of the same name, takes over: each handler ends the call it is in, its
  /// successor goes on with the next event, and nothing is lost or handled twice. Handlers are told
  /// apart by name; `retry`, `time_limit`, `execution`, `restart`, `quarantine` and the
  /// scope's limits are then those of the new version; in the other options both must agree.
  /// Errors: as of `load`, and then nothing has changed; `timed_out` when an old handler did not
  /// return or a new one did not start, and then the old version is back.
  expected<swap_report> swap(std::string_view name, const std::filesystem::path& file,
                             const plugin_values& settings);
  /// Back to the version before the last swap, with the settings it had. It is still in memory.
  /// Errors: `not_found`, and as of `swap`.
  expected<swap_report> rollback(std::string_view name);
  /// By name.
  std::vector<plugin_status> list() const;
  /// What handlers of plugins were doing when the process before this one died, if it did; also
  /// logged as an error when it is found.
  const std::vector<crashed_call>& crashes() const noexcept;
  /// Of one plugin, or of all when the name is empty; the latest first, at most 1,000. Errors:
  /// `io`.
  expected<std::vector<crash_record>> crash_records(std::string_view plugin = {}) const;
  /// Of an event that a plugin takes or publishes; null when none does. For
  /// `control_options::types`.
  const event_type* type_of(std::string_view event) const;
  /// For `control_options::plugins`: operators load, swap and roll back. Lives as long as this.
  plugin_desk& desk() noexcept;

private:
  class impl;
  explicit plugin_host(std::unique_ptr<impl> inside);
  std::unique_ptr<impl> impl_;
};

} // namespace edupulse
