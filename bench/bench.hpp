#pragma once
// What the benchmarks share: the event, the clock, five runs and their spread, one JSON line each.

#include "lesson.capnp.h"
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// 256 bytes of texts, as a small lesson has.
inline constexpr std::size_t payload_bytes = 256;
void fill_lesson(LessonPublished::Builder lesson, std::uint64_t number);

/// MiB, from a line such as `VmHWM:     12345 kB` of /proc/self/status.
double status_mib(const char* field);
/// What this program prints when it is run with these arguments. Close it with `pclose`.
std::FILE* read_from_self(const std::string& args);
double seconds_since(std::chrono::steady_clock::time_point start);

struct spread {
  double min;
  double median;
  double max;
};
spread spread_of(std::vector<double> values);

/// What a peer did in the same run.
struct peer_figures {
  std::string name;
  spread value;
  spread ratio; ///< of ours to it
};

/// Prints a line for people, and one JSON object a line to the file of `--json`.
class report {
public:
  explicit report(const std::string& json_file);
  ~report();
  /// `better`: "more" or "less"; `goal` 0 for none.
  void value(const std::string& name, const std::string& unit, const spread& what, double goal = 0,
             const std::string& note = {});
  /// Ours beside the peers'. `asked`: of the ratio to the first of them; 0 for nothing.
  void compared(const std::string& name, const std::string& unit, const spread& ours,
                const std::vector<peer_figures>& peers, double asked, const std::string& note = {});

private:
  std::FILE* file_ = nullptr;
};

// One run each. `handlers`: how many read every event. Answers events per second.
double run_baseline(std::size_t handlers, std::uint64_t events);
double run_edupulse(std::size_t handlers, std::uint64_t events);

void throughput(report& to, bool quick);
void latency(report& to, bool quick);
void startup(report& to);
void memory(report& to);
void slow_neighbour(report& to, bool quick);
void tls(report& to, bool quick);
void membership(report& to, bool quick);
void simulation(report& to, const std::function<bool(const char*)>& wanted, bool quick);
void plugins(report& to, const std::function<bool(const char*)>& wanted, bool quick);
void mirrors(report& to, const std::function<bool(const char*)>& wanted, bool quick);
void remote(report& to, const std::function<bool(const char*)>& wanted, bool quick);
void cluster_idle(report& to, bool quick);
void cluster_form(report& to, bool quick);
/// The body of a child process.
int play_role(const std::string& name, const std::vector<std::string>& args);
/// The body of the child process of `memory`; prints its figures.
int memory_child();
int virtual_memory_child(std::size_t nodes);
int plugin_child(bool loaded, std::uint64_t events);

} // namespace bench
