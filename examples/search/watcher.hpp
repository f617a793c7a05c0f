#pragma once
// What is shown while a run is under way, and how its end is waited for.

#include "console.hpp"
#include "feeder.hpp"
#include "interrupt.hpp"
#include <thread>

namespace edupulse::search {

/// Shows progress on a thread of its own: ten times a second on a terminal, else every two seconds.
class watcher {
public:
  /// All must outlive it. `input_bytes` is 0 when it is not known.
  watcher(const node& what, const feeder_counts& counts, std::uint64_t input_bytes, console& where);

private:
  void watch(std::stop_token stop);
  void show();

  const node& node_;
  const feeder_counts& counts_;
  std::uint64_t input_bytes_;
  console& where_;
  time_point started_;
  std::jthread thread_; // last: it uses the others
};

/// Waits until all that was published is concluded. Interrupted, before or now, it waits for
/// `when_interrupted` more. Errors: `timed_out`.
expected<void> drain(node& what, const interrupt& stop, duration patience,
                     duration when_interrupted = std::chrono::seconds(5));

} // namespace edupulse::search
