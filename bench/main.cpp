// edupulse-bench: the numbers of docs/performance.md. Release build, an otherwise idle machine.

#include "bench.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

namespace bench {

void fill_lesson(LessonPublished::Builder lesson, std::uint64_t number) {
  static const std::string body(payload_bytes - 16 - 16 - 24, 'x');
  char id[] = "lesson-00000000"; // by hand: printf would be a fifth of what a publish costs
  auto* digit = id + sizeof id - 2;
  for (number %= 100'000; number != 0; number /= 10)
    *digit-- = static_cast<char>('0' + number % 10);
  lesson.setLessonId({id, sizeof id - 1});
  lesson.setTeacherId("teacher-00000001");
  lesson.setTitle("Quantum Mechanics 101   ");
  lesson.setBody({body.data(), body.size()});
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

report::report(const std::string& json_file) {
  if (!json_file.empty() && (file_ = std::fopen(json_file.c_str(), "w")) == nullptr)
    std::fprintf(stderr, "cannot write %s\n", json_file.c_str());
}

report::~report() {
  if (file_ != nullptr)
    std::fclose(file_);
}

void report::value(const std::string& name, const std::string& unit, const spread& what,
                   double goal, const std::string& note) {
  std::printf("%-26s %14.3f %-14s min %.3f max %.3f", name.c_str(), what.median, unit.c_str(),
              what.min, what.max);
  if (goal > 0)
    std::printf("  asked %.3g", goal);
  std::printf("%s%s\n", note.empty() ? "" : "  ", note.c_str());
  std::fflush(stdout);
  if (file_ == nullptr)
    return;
  std::fprintf(file_,
               "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"min\":%.6g,\"max\":%.6g,"
               "\"asked\":%.6g,\"note\":\"%s\"}\n",
               name.c_str(), what.median, unit.c_str(), what.min, what.max, goal, note.c_str());
  std::fflush(file_);
}

void report::compared(const std::string& name, const std::string& unit, const spread& ours,
                      const std::vector<peer_figures>& peers, double asked,
                      const std::string& note) {
  std::printf("%-26s %14.3f %-14s min %.3f max %.3f%s%s\n", name.c_str(), ours.median, unit.c_str(),
              ours.min, ours.max, note.empty() ? "" : "  ", note.c_str());
  for (std::size_t i = 0; i < peers.size(); ++i) {
    std::printf("  %-24s %14.3f %-14s min %.3f max %.3f  ratio %.3f min %.3f max %.3f",
                peers[i].name.c_str(), peers[i].value.median, unit.c_str(), peers[i].value.min,
                peers[i].value.max, peers[i].ratio.median, peers[i].ratio.min, peers[i].ratio.max);
    std::printf(i == 0 && asked > 0 ? "  asked %.3g\n" : "\n", asked);
  }
  std::fflush(stdout);
  if (file_ == nullptr)
    return;
  std::fprintf(file_, "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"min\":%.6g,\"max\":%.6g",
               name.c_str(), ours.median, unit.c_str(), ours.min, ours.max);
  if (!peers.empty())
    std::fprintf(file_, ",\"ratio\":%.6g,\"asked_ratio\":%.6g", peers[0].ratio.median, asked);
  std::fprintf(file_, ",\"peers\":[");
  for (std::size_t i = 0; i < peers.size(); ++i)
    std::fprintf(file_,
                 "%s{\"name\":\"%s\",\"value\":%.6g,\"min\":%.6g,\"max\":%.6g,\"ratio\":%.6g}",
                 i == 0 ? "" : ",", peers[i].name.c_str(), peers[i].value.median,
                 peers[i].value.min, peers[i].value.max, peers[i].ratio.median);
  std::fprintf(file_, "],\"note\":\"%s\"}\n", note.c_str());
  std::fflush(file_);
}

} // namespace bench

namespace {

/// For a profiler, and for processes of the benchmarks themselves.
int run_one(const std::string& what, std::size_t handlers, std::uint64_t events) {
  if (what == "memory_child")
    return bench::memory_child();
  if (what == "virtual_memory")
    return bench::virtual_memory_child(events);
  if (what == "plugin_linked" || what == "plugin_loaded")
    return bench::plugin_child(what == "plugin_loaded", events);
  const auto rate = what == "baseline" ? bench::run_baseline(handlers, events)
                                       : bench::run_edupulse(handlers, events);
  std::printf("%s: %.0f events/s\n", what.c_str(), rate);
  return 0;
}

} // namespace

int main(int argc, char* argv[]) {
  CLI::App app("EduPulse benchmarks");
  std::string json;
  std::string only;
  bool quick = false;
  app.add_option("--json", json, "one JSON object a line into this file");
  app.add_option("--only", only,
                 "throughput, latency, startup, memory, slow_neighbour, tls, membership, virtual, "
                 "plugin, mirror, remote, cluster, or one row of these five: remote.latency_5k");
  app.add_flag("--quick", quick, "a tenth of the events: to see that it runs");
  std::string one;
  std::size_t handlers = 1;
  std::uint64_t events = 2'000'000;
  app.add_option("--run", one, "one run of `baseline` or `edupulse`, for a profiler");
  app.add_option("--handlers", handlers, "with --run");
  app.add_option("--events", events, "with --run");
  std::string role;
  std::vector<std::string> args;
  app.add_option("--child", role, "for this program itself: a process of a benchmark");
  app.add_option("--arg", args, "with --child")->allow_extra_args(false);
  CLI11_PARSE(app, argc, argv);
  if (!one.empty())
    return run_one(one, handlers, events);
  if (!role.empty())
    return bench::play_role(role, args);
  bench::report to(json);
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  const auto in_group = [&](const std::string& group, const std::string& name) {
    return wanted(group.c_str()) || only == name;
  };
  if (wanted("throughput"))
    bench::throughput(to, quick);
  if (wanted("latency"))
    bench::latency(to, quick);
  if (wanted("startup"))
    bench::startup(to);
  if (wanted("memory"))
    bench::memory(to);
  if (wanted("slow_neighbour"))
    bench::slow_neighbour(to, quick);
  if (wanted("tls"))
    bench::tls(to, quick);
  if (wanted("membership"))
    bench::membership(to, quick);
  bench::simulation(
      to, [&](const char* name) { return in_group("virtual", name); }, quick);
  bench::plugins(
      to, [&](const char* name) { return in_group("plugin", name); }, quick);
  bench::mirrors(
      to, [&](const char* name) { return in_group("mirror", name); }, quick);
  bench::remote(
      to, [&](const char* name) { return in_group("remote", name); }, quick);
  if (in_group("cluster", "cluster.idle"))
    bench::cluster_idle(to, quick);
  if (in_group("cluster", "cluster.form_16"))
    bench::cluster_form(to, quick);
  return 0;
}
