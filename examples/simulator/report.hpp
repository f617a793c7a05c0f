#pragma once
// What a run of the simulator comes to: plain values, and the two forms they are given away in.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edupulse::simulator {

/// All there is to show of a run. Times are seconds since its beginning. Names and texts may be
/// anything: whoever writes them out escapes them.
struct run_report {
  enum class run_mode {
    processes,   ///< each node is a process of its own
    virtual_time ///< all of them in one thread, and time is an argument
  };

  /// One promise, and whether it was kept.
  struct check {
    std::string name; ///< "lost", "order", ...
    bool ok = true;
    std::uint64_t count = 0; ///< of violations
    std::string text;
  };
  struct violation {
    std::string what;
    std::vector<std::string> story; ///< in order of time; a line begins with its time
  };
  struct verdict {
    bool ok = true;
    std::string text; ///< one line
    std::vector<check> checks;
    std::vector<violation> violations;
    std::vector<std::string> unchecked; ///< why something could not be checked
  };

  struct fault {
    double from = 0;
    std::optional<double> until; ///< none: it lasted until the end
    std::string kind;
    std::string text;
  };

  struct flow {
    double published = 0; ///< events a second
    double handled = 0;   ///< events a second
    double backlog = 0;   ///< events that are owed
  };
  struct percentiles {
    double p50_us = 0, p99_us = 0, p999_us = 0;
  };
  /// What was measured between the sample before and this one.
  struct sample {
    double at = 0;
    flow all;
    std::optional<percentiles> latency; ///< none: nothing was handled
    std::vector<flow> per_node;         ///< in the order of `nodes`; one that is missing is a gap
  };

  /// `down`: the process itself was not running, `seen_by` is `who`. What it saw of the others ends
  /// there; when it is back it tells their states anew.
  enum class member_state { alive, suspect, dead, left, down };
  struct sighting {
    double at = 0;
    std::string seen_by;
    std::string who;
    member_state state = member_state::alive;
  };

  struct ledger_row {
    std::string topic;
    std::string subscription; ///< "indexer@n2"
    std::uint64_t published = 0;
    std::uint64_t handled = 0;
    std::uint64_t dead = 0;
    std::uint64_t expired = 0;
    std::map<std::string, std::uint64_t> dropped; ///< by reason
    std::uint64_t pending = 0;
  };
  struct dead_group {
    std::string subscription;
    std::string cause;
    std::uint64_t count = 0;
  };

  /// Believed dead, or away, when `publisher` published these: they were not owed to it.
  struct not_owed_line {
    std::string subscription;
    std::string publisher;
    std::uint64_t count = 0;
  };

  std::string scenario;
  std::string about; ///< a sentence
  run_mode mode = run_mode::processes;
  std::uint64_t seed = 0;
  std::string level; ///< "acknowledged"
  std::string again; ///< the command that runs it once more
  std::vector<std::string> nodes;
  double seconds = 0;
  verdict outcome;
  std::vector<fault> faults;
  std::vector<sample> samples;
  std::vector<sighting> membership; ///< in order of time
  std::vector<ledger_row> ledger;
  std::vector<dead_group> dead_letters;
  std::vector<not_owed_line> not_owed; ///< the most first
  std::vector<std::string> notes;
};

/// What runs of one scenario with many seeds come to.
struct sweep_report {
  std::string scenario;
  std::uint64_t runs = 0;
  std::uint64_t first_seed = 0;
  std::uint64_t last_seed = 0;                 ///< that was tried
  double node_seconds = 0;                     ///< simulated time, of all nodes and runs
  std::map<std::string, std::uint64_t> faults; ///< that began, by kind
  bool ok = true;
};

std::string to_string(run_report::run_mode mode);
std::string to_string(run_report::member_state state);

/// One object on one line, for programs. Numbers that are none are null; text that is not UTF-8
/// has U+FFFD where it is not.
std::string to_json(const run_report& what);
std::string to_json(const sweep_report& what);

/// A page for people, in one file that needs no other and no network.
std::string to_page(const run_report& what);

} // namespace edupulse::simulator
