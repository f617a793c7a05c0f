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
    when_ = when;
    earlier = when < sleeps_until_;
  }
  if (earlier) // a later time is noticed when the earlier one passes
    changed_.notify_one();
}

void alarm::run() {
  std::unique_lock guard(mutex_);
  while (!ended_) {
    if (when_ <= std::chrono::steady_clock::now()) {
      when_ = time_point::max();
      guard.unlock();
      ring_();
      guard.lock();
      continue;
    }
    sleeps_until_ = when_;
    if (when_ == time_point::max())
      changed_.wait(guard);
    else
      changed_.wait_until(guard, sleeps_until_);
    sleeps_until_ = time_point::min();
  }
}

} // namespace edupulse
