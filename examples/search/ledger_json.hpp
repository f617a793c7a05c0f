#pragma once
// A ledger for programs.

#include <edupulse/node.hpp>
#include <string>

namespace edupulse::search {

/// An array with an object for each line of the ledger.
std::string ledger_json(const ledger_view& what);

} // namespace edupulse::search
