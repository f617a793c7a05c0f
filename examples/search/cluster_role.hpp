#pragma once
// One of the two processes that `--cluster` starts: a node with its handlers, that answers the
// questions of the process which started it.

#include "options.hpp"
#include <edupulse/event.hpp>

namespace edupulse::search {

inline constexpr const char* indexing_role = "indexer";
inline constexpr const char* notifying_role = "notifier";

/// First prints a line when the node is up. Then each line of standard input is a question, and a
/// line of JSON answers it: `report` asks for the ledger, anything else is looked for in the index.
/// The end of the input is the end. Errors: what keeps the node from being up.
expected<int> run_role(const options& how);

} // namespace edupulse::search
