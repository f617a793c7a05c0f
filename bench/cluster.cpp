// Clusters that do nothing, and clusters that begin.

#include "contender.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <edupulse/node.hpp>
#include <memory>
#include <thread>
#include <unistd.h>

namespace bench {

namespace {

using namespace std::chrono_literals;

/// LISTEN SEED COUNT. Says "formed" once it sees COUNT members alive, itself one of them.
int member_of_cluster(const std::vector<std::string>& args) {
  edupulse::node_options how;
  how.name = "member-" + std::to_string(::getpid());
  how.cluster.name = "bench";
  how.cluster.listen = args.at(0);
  if (args.at(0) != args.at(1))
    how.cluster.join = {args.at(1)};
  auto at = edupulse::node::start(how);
  if (!at) {
    std::fprintf(stderr, "edupulse: %s\n", at.error().text.c_str());
    return 1;
  }
  if (auto added = at->subscribe<LessonPublished>("reader", [](auto) {}); !added)
    return 1;
  const auto wanted = std::stoll(args.at(2));
  const auto is_alive = [](const edupulse::member& one) {
    return one.state == edupulse::member_state::alive;
  };
  for (std::vector<edupulse::member> all;; std::this_thread::sleep_for(20ms)) {
    all = at->members();
    if (std::count_if(all.begin(), all.end(), is_alive) >= wanted)
      break;
  }
  say("formed");
  for (;;)
    await_line();
}

/// Started at once; all of them see all when this returns.
std::vector<child> form(int count) {
  const auto seed = "127.0.0.1:" + std::to_string(free_port());
  std::vector<child> members;
  for (int i = 0; i < count; ++i)
    members.push_back(
        child::role("member", {i == 0 ? seed : "127.0.0.1:0", seed, std::to_string(count)}));
  for (auto& each : members)
    each.expect("formed", 120s);
  return members;
}

/// Seconds of processor that a process has used, all its threads, as the kernel accounts them to
/// the nanosecond.
double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    std::fprintf(stderr, "cluster.idle: a node has ended\n");
    std::exit(1);
  }
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

} // namespace

void cluster_idle(report& to, bool quick) {
  const auto members = form(5);
  std::this_thread::sleep_for(quick ? 1s : 10s); // what forming leaves to do
  const auto used = [&] {
    double sum = 0;
    for (const auto& each : members)
      sum += cpu_seconds(each.pid());
    return sum;
  };
  std::vector<double> percent;
  std::vector<double> memory;
  for (int round = 0; round < (quick ? 2 : 3); ++round) {
    const auto before = used();
    const auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(quick ? 3s : 20s);
    percent.push_back((used() - before) / seconds_since(start) * 100);
    double sum = 0;
    for (const auto& each : members)
      sum += proc_mib("/proc/" + std::to_string(each.pid()) + "/smaps_rollup", "Pss");
    memory.push_back(sum);
  }
  to.value("cluster.idle.cpu", "% of a core", spread_of(percent), 1, "five nodes in all");
  to.value("cluster.idle.memory", "MiB in all", spread_of(memory), 150);
}

void cluster_form(report& to, bool quick) {
  std::vector<double> seconds;
  for (int round = 0; round < (quick ? 1 : 5); ++round) {
    const auto start = std::chrono::steady_clock::now();
    const auto members = form(16);
    seconds.push_back(seconds_since(start));
  }
  to.value("cluster.form_16", "s", spread_of(seconds), 10, "until all see all");
}

void add_cluster_roles(roles& to) { to["member"] = member_of_cluster; }

} // namespace bench
