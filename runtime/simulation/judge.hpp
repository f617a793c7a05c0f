#pragma once
// Decides from the record of a run, and the ledgers at its end, whether the promises were kept.

#include "runtime/simulation/record.hpp"
#include <cstddef>
#include <string>
#include <vector>

namespace edupulse::simulation {

struct violation {
  std::string what;               ///< "lost: ...", "duplicated: ...", as in docs/testing.md
  std::vector<std::string> story; ///< of the event, when it is about one
};

struct verdict {
  std::vector<violation> violations; ///< the first hundred
  std::size_t published = 0;
  std::size_t refused = 0;
  std::size_t handled = 0;  ///< successes
  std::size_t repeats = 0;  ///< successes after the first, of one subscription or group
  std::size_t failures = 0; ///< calls that did not succeed
  std::size_t dead = 0;
  std::size_t expired = 0;
  std::size_t dropped = 0;

  bool is_good() const noexcept { return violations.empty(); }
  /// Empty when it is good.
  std::string text() const;
};

/// The ledger of a start that still runs.
struct book {
  start_number of;
  ledger_view ledger;
};

/// `at_rest`: nothing is owed any more, so that every event must have come to its end.
verdict judge(const record& seen, const std::vector<book>& books, bool at_rest);

} // namespace edupulse::simulation
