#include "watcher.hpp"
#include "clock.hpp"
#include "progress_view.hpp"
#include <condition_variable>
#include <mutex>

namespace edupulse::search {

using namespace std::chrono_literals;

watcher::watcher(const node& what, const feeder_counts& counts, std::uint64_t input_bytes,
                 console& where)
    : node_(what), counts_(counts), input_bytes_(input_bytes), where_(where), started_(now()),
      thread_([this](std::stop_token stop) { watch(stop); }) {}

void watcher::watch(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any end;
  std::unique_lock lock(mutex);
  const auto every = where_.is_terminal() ? 100ms : 2000ms;
  while (!end.wait_for(lock, stop, every, [&] { return stop.stop_requested(); }))
    show();
  if (where_.is_terminal())
    where_.clear();
  else
    show(); // a log shows how it ended, however short it was
}

void watcher::show() {
  const auto total = node_.ledger().total();
  progress_numbers numbers;
  numbers.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now() - started_);
  numbers.published = counts_.published;
  numbers.handled = total.handled;
  numbers.queued = total.pending;
  numbers.failed_tries = total.retries + total.crashes;
  numbers.dead = total.dead;
  numbers.skipped = counts_.skipped;
  if (input_bytes_ > 0)
    numbers.fraction = static_cast<double>(counts_.bytes_done) / static_cast<double>(input_bytes_);
  if (where_.is_terminal())
    where_.redraw(progress_bar(numbers, where_.width() - 1));
  else
    where_.say(progress_plain(numbers));
}

expected<void> drain(node& what, const interrupt& stop, duration patience,
                     duration when_interrupted) {
  auto until = now() + patience;
  bool hurried = false;
  expected<void> done;
  do {
    if (!hurried && stop.happened()) {
      hurried = true;
      until = std::min(until, now() + when_interrupted);
    }
    done = what.drain(100ms);
  } while (!done && done.error().code == errc::timed_out && now() < until);
  return done;
}

} // namespace edupulse::search
