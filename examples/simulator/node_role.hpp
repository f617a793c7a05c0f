#pragma once
// A node of the simulated cluster: a process of this same program, that obeys its parent.

#include "plan.hpp"

namespace edupulse::simulator {

struct role {
  std::size_t node = 0;    ///< place in the plan
  std::uint32_t start = 0; ///< which of all starts of all nodes
  std::filesystem::path place{};
  std::filesystem::path journal{};
  std::size_t records = 0;
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> join{};
};

/// Words on standard output, a line each; see node_role.cpp. Answers the exit code.
int run_node(const plan& what, const role& self);

} // namespace edupulse::simulator
