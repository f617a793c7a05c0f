#include "runtime/reaper.hpp"

#include "runtime/quiet_thread.hpp"
#include <system_error>

namespace edupulse {

void reaper::take(std::shared_ptr<void> what) {
  std::lock_guard guard(mutex_);
  if (finished_ || !has_thread())
    return; // `what` ends with this call, behind the lock
  waiting_.push_back(std::move(what));
  changed_.notify_all();
}

bool reaper::has_thread() {
  if (thread_.joinable())
    return true;
  try {
    thread_ = std::thread([this] { run(); });
    return true;
  } catch (const std::system_error&) { // the machine has none left: somebody has to wait
    return false;
  }
}

void reaper::run() {
  begin_quiet_thread("reaper");
  std::unique_lock guard(mutex_);
  for (;;) {
    changed_.wait(guard, [&] { return finished_ || !waiting_.empty(); });
    if (waiting_.empty())
      return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    next.reset();
    guard.lock();
  }
}

void reaper::finish() {
  {
    std::lock_guard guard(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

} // namespace edupulse
