// What goes wrong, and how it is undone.

#include "clock.hpp"
#include "cluster.hpp"
#include <algorithm>
#include <csignal>
#include <sstream>

namespace edupulse::simulator {

void process_cluster::begin(const fault_plan& what) {
  for (const auto which : what.nodes) {
    auto& one = nodes_[which];
    if (what.what == fault_word::late)
      launch_again(which);
    if (!one.process)
      continue;
    if (what.what == fault_word::kill) {
      kill(which);
    } else if (what.what == fault_word::stop) {
      one.process->signal(SIGSTOP);
      one.seen.paused = true;
    } else if (what.what == fault_word::leave) {
      one.leaving = true;
      one.expected_up = false;
      one.process->signal(SIGTERM);
    }
  }
  if (what.is_of_network())
    change_lines(what, true);
}

void process_cluster::end(const fault_plan& what) {
  for (const auto which : what.nodes) {
    auto& one = nodes_[which];
    if (what.what == fault_word::kill || what.what == fault_word::leave) {
      launch_again(which);
    } else if (what.what == fault_word::stop && one.process) {
      one.process->signal(SIGCONT);
      one.seen.paused = false;
    }
  }
  if (what.is_of_network())
    change_lines(what, false);
}

namespace {

constexpr auto before_the_next_start = std::chrono::seconds(1);
constexpr std::size_t crashes_max = 20;

/// From and to, of each way that the fault is about.
std::vector<std::pair<std::size_t, std::size_t>> ways_of(const fault_plan& what,
                                                         std::size_t nodes) {
  std::vector<std::pair<std::size_t, std::size_t>> all;
  const auto is_in = [&](std::size_t node) {
    return std::find(what.nodes.begin(), what.nodes.end(), node) != what.nodes.end();
  };
  if (what.what == fault_word::one_way)
    return {{what.nodes[0], what.nodes[1]}};
  for (std::size_t a = 0; a < nodes; ++a)
    for (std::size_t b = 0; b < nodes; ++b)
      if (what.what == fault_word::partition ? is_in(a) != is_in(b)
                                             : a != b && is_in(a) && is_in(b))
        all.emplace_back(a, b);
  return all;
}

} // namespace

/// A crash that is allowed is followed by another start, as by a machine's manager of services.
void process_cluster::crashed(std::size_t which) {
  auto& one = nodes_[which];
  const auto how = "crashed: " + one.process->how_it_ended().text;
  if (!plan_.may("crashed")) {
    troubles_.push_back(how);
  } else if (++one.crashes > crashes_max) {
    troubles_.push_back(how + "; it has crashed " + std::to_string(one.crashes) +
                        " times, and is not started again");
  } else {
    one.up_again_at = search::now() + before_the_next_start;
    notes_.push_back(name_of(which) + " crashed, and was started again");
  }
}

void process_cluster::launch_crashed() {
  for (std::size_t which = 0; which < nodes_.size(); ++which)
    if (auto& at = nodes_[which].up_again_at; at && *at <= search::now()) {
      at.reset();
      launch_again(which);
    }
}

void process_cluster::change_lines(const fault_plan& what, bool begins) {
  for (const auto& [from, to] : ways_of(what, nodes_.size())) {
    if (what.what == fault_word::reset) {
      if (begins && nodes_[from].process)
        nodes_[from].process->tell("reset " + nodes_[to].address);
    } else if (what.what == fault_word::slow) {
      lines_[{from, to}].delay_ms = begins ? what.delay_ms : 0;
      lines_[{from, to}].bytes_per_second = begins ? what.bytes_per_second : 0;
    } else {
      lines_[{from, to}].blocked += begins ? 1 : -1;
    }
  }
  set_lines();
}

void process_cluster::set_lines() {
  if (plan_.needs_relay())
    for (std::size_t which = 0; which < nodes_.size(); ++which)
      if (nodes_[which].process)
        tell_lines(which);
}

/// How it may reach each of the others, and is reached on the connections that it makes.
void process_cluster::tell_lines(std::size_t which) {
  if (!plan_.needs_relay())
    return;
  for (std::size_t other = 0; other < nodes_.size(); ++other) {
    if (other == which || nodes_[other].address.empty())
      continue;
    const auto& to = lines_[{which, other}];
    const auto& from = lines_[{other, which}];
    std::ostringstream text;
    text << "line " << nodes_[other].address << ' ' << (to.blocked > 0) << ' ' << (from.blocked > 0)
         << ' ' << to.delay_ms << ' ' << to.bytes_per_second;
    nodes_[which].process->tell(text.str());
  }
}

} // namespace edupulse::simulator
