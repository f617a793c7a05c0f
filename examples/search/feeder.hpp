#pragma once
// From lines to published events.

#include "interrupt.hpp"
#include "line_reader.hpp"
#include <atomic>
#include <edupulse/node.hpp>
#include <functional>

namespace edupulse::search {

struct feeder_options {
  double rate = 0; ///< events a second; 0: as fast as it goes
  bool strict = false;
  /// Called after each line; false ends the feeding as the end of the input would.
  std::function<bool()> after_each{};
};

/// Counts while it works; any thread may read them.
struct feeder_counts {
  std::atomic<std::uint64_t> published{0};
  std::atomic<std::uint64_t> skipped{0};
  std::atomic<std::uint64_t> unknown_fields{0};
  std::atomic<std::uint64_t> bytes_done{0};
};

/// Publishes each line of `from` that is an event and reports each that is not, until the end of
/// the input or an interrupt. A node that pushes back is waited for: nothing is skipped for it.
class feeder {
public:
  feeder(node& to, const interrupt& stop, feeder_options how,
         std::function<void(const std::string&)> report)
      : node_(to), stop_(stop), how_(how), report_(std::move(report)) {}

  /// Errors: `io` of the input; `stopping`.
  expected<void> run(line_reader& from);
  const feeder_counts& counts() const noexcept { return counts_; }

private:
  expected<void> publish(const input_line& line);
  void skip(std::size_t line, const std::string& why);
  bool wait_for_turn(time_point started);

  node& node_;
  const interrupt& stop_;
  feeder_options how_;
  std::function<void(const std::string&)> report_;
  feeder_counts counts_;
};

} // namespace edupulse::search
