#pragma once
// The main job over three processes.

#include "options.hpp"
#include <edupulse/event.hpp>

namespace edupulse::search {

/// Publishes from a node in this process to nodes in two others, kills one of these half-way and
/// starts it again; then prints the members, each node's ledger, and answers from that node's
/// index. The exit code: 0 only when every ledger balances and every query is answered. Errors:
/// what could not be started, or has ended by itself.
expected<int> run_cluster(const options& how);

} // namespace edupulse::search
