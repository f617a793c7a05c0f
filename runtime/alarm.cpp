#include "runtime/alarm.hpp"

namespace edupulse {

alarm::alarm(std::function<void()> ring) : ring_(std::move(ring)), thread_([this] { run(); }) {}

alarm::~alarm() {
  {
    std::lock_guard guard(mutex_);
    ended_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void alarm::set(time_point when) {
  bool earlier;
  {
    std::lock_guard guard(mutex_);
    earlier = when < when_;
    when_ = when;
  }
  if (earlier) // a later time is noticed when the earlier one passes
    changed_.notify_one();
}

void alarm::run() {
  std::unique_lock guard(mutex_);
  while (!ended_) {
    if (when_ == time_point::max()) {
      changed_.wait(guard);
    } else if (std::chrono::steady_clock::now() < when_) {
      changed_.wait_until(guard, when_);
    } else {
      when_ = time_point::max();
      guard.unlock();
      ring_();
      guard.lock();
    }
  }
}

} // namespace edupulse
