#pragma once
// What a run of the simulator does: nodes, load, handlers, and what goes wrong when. Read from a
// scenario file (TOML), changed by the command line.

#include <cstdint>
#include <edupulse/event.hpp>
#include <edupulse/options.hpp>
#include <edupulse/plugin_host.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edupulse::simulator {

/// A kind of subscription, on some nodes.
struct handler_plan {
  std::string name = "indexer";
  std::vector<std::size_t> nodes{}; ///< where it runs; empty: everywhere
  double takes_ms = 0;              ///< each call
  double throws = 0;                ///< share of calls that throw
  std::uint64_t poison_every = 0;   ///< events with such a number are rejected; 0: none
  std::uint64_t crash_loop_for = 0; ///< the first calls of each start throw
  std::string group{};
  double stall_after = 30; ///< seconds
  std::uint64_t backlog = 8192;
  std::string overload = "wait";
  std::string filter = ">"; ///< of a plugin's, as `simulation::read_filter` takes it
  bool of_plugin = false;   ///< of what is above, name, nodes and group are known

  bool runs_on(std::size_t node) const;
  subscription_options options() const;
};

/// What can go wrong. Those that end have `lasts`.
enum class fault_word : std::uint8_t {
  kill,      ///< SIGKILL; started again when it ends
  stop,      ///< SIGSTOP, and SIGCONT when it ends
  leave,     ///< SIGTERM; started again when it ends
  partition, ///< `nodes` against all others
  cut,       ///< nothing passes between `nodes`
  one_way,   ///< nothing passes from the first of `nodes` to the second
  slow,      ///< between `nodes`: `delay_ms` one way, `bytes_per_second`
  flap,      ///< cut, in turns of `period`
  reset,     ///< connections between `nodes` break
  late,      ///< the node is started only then
};

struct fault_plan {
  double at = 0;    ///< seconds after all have met
  double lasts = 0; ///< seconds; 0: to the end, or a moment
  fault_word what = fault_word::kill;
  std::vector<std::size_t> nodes{}; ///< by place
  double delay_ms = 0;
  double bytes_per_second = 0;
  double period = 1;

  bool is_of_network() const noexcept {
    return what >= fault_word::partition && what <= fault_word::reset;
  }
};

/// Its handlers are in the plan, as PLUGIN.HANDLER.
struct plugin_plan {
  std::filesystem::path file;
  plugin_values settings{};
  plugin_manifest manifest{};
  std::vector<std::size_t> nodes{};           ///< where it runs; empty: everywhere
  std::shared_ptr<const plugin_parts> code{}; ///< not in the processes of nodes: they have a host

  bool runs_on(std::size_t node) const;
};

struct plan {
  std::string scenario = "steady";
  std::string about{};
  std::size_t nodes = 3;
  std::size_t publishers = 1;    ///< the first of the nodes
  std::uint64_t events = 20'000; ///< in all
  double rate = 2'000;           ///< a second, in all; 0: as fast as it goes
  std::size_t keys = 1'000;
  std::string level = "acknowledged";
  std::string profile = "local";
  double unreachable_after = 60; ///< seconds
  std::vector<handler_plan> handlers{};
  std::vector<plugin_plan> plugins{};
  std::vector<fault_plan> faults{};
  std::vector<std::string> allows{}; ///< "dead", "dropped", "crashed": what is no violation here
  std::filesystem::path input{};     ///< lessons as JSON lines; none: made up
  std::uint64_t seed = 1;

  bool may(std::string_view what) const;
  bool needs_relay() const;
  /// Seconds, when a rate is given.
  std::optional<double> seconds() const;
};

duration seconds_of(double seconds);
std::string name_of(std::size_t node); ///< "n1" of 0
std::string to_string(const fault_plan& what);
/// As `parse_faults` reads it: "kill:n2@3+4".
std::string as_option(const fault_plan& what);

/// The scenarios that ship, by name.
std::vector<std::string> shipped_scenarios();
/// `what`: the name of one that ships, or a file. Errors: `not_found` with the nearest name;
/// `malformed` with file, line and key.
expected<plan> read_scenario(const std::string& what);
expected<plan> parse_scenario(std::string_view text, const std::string& from);
/// "kill:n2@3+4, partition:n1/n2@8+5". Errors: `invalid_option`.
expected<std::vector<fault_plan>> parse_faults(std::string_view list);
/// "indexer@n2/n3 takes=5 throws=0.01, notifier". Errors: `invalid_option`.
expected<std::vector<handler_plan>> parse_handlers(std::string_view list);
/// What does not fit together. Errors: `invalid_option`, naming what.
expected<void> validate(const plan& what, std::size_t most_nodes);

} // namespace edupulse::simulator
