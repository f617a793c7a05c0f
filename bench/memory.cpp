// Peak memory with a handler that is slow at first. A process of its own per run, so that one run's
// peak is not the next one's floor.

#include "bench.hpp"
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <edupulse/node.hpp>
#include <string>
#include <thread>
#include <unistd.h>

namespace bench {

namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t published = 1'000'000;

} // namespace

double status_mib(const char* field) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  char line[256];
  double found = 0;
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr)
    if (std::string_view(line).starts_with(field))
      found = std::strtod(line + std::string_view(field).size() + 1, nullptr) / 1024;
  if (file != nullptr)
    std::fclose(file);
  return found;
}

std::FILE* read_from_self(const std::string& args) {
  char self[4096];
  const auto length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  return length <= 0
             ? nullptr
             : ::popen((std::string(self, static_cast<std::size_t>(length)) + args).c_str(), "r");
}

int memory_child() {
  auto at = edupulse::node::start({.name = "bench"}).value();
  std::atomic<std::uint64_t> handled{0};
  const auto start = std::chrono::steady_clock::now();
  at.subscribe<LessonPublished>("slow", [&](auto) {
      // 1 ms an event for the first two seconds, then as fast as it can.
      if (std::chrono::steady_clock::now() - start < 2s)
        ::usleep(1000);
      handled.fetch_add(1, std::memory_order_relaxed);
    }).value();
  const double idle = status_mib("VmRSS:");
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < published; ++i) {
    auto sent = at.publish<LessonPublished>([&](auto lesson) { fill_lesson(lesson, i); });
    ++(sent ? accepted : refused);
  }
  if (!at.drain(60s))
    return 1;
  std::printf("%.3f %llu %llu %llu\n", status_mib("VmHWM:") - idle,
              static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(handled.load()));
  return 0;
}

void memory(report& to) {
  std::vector<double> grown;
  std::string note;
  for (int round = 0; round < 5; ++round) {
    std::FILE* child = read_from_self(" --run memory_child");
    double mib = 0;
    unsigned long long accepted = 0, refused = 0, handled = 0;
    if (child == nullptr ||
        std::fscanf(child, "%lf %llu %llu %llu", &mib, &accepted, &refused, &handled) != 4) {
      std::fprintf(stderr, "local.memory_1m: the child process failed\n");
      std::exit(1);
    }
    ::pclose(child);
    grown.push_back(mib);
    note = std::to_string(accepted) + " accepted, " + std::to_string(refused) +
           " answered back_pressure, " + std::to_string(handled) + " handled";
  }
  to.value("local.memory_1m", "MiB above idle", spread_of(grown), 64, note);
}

} // namespace bench
