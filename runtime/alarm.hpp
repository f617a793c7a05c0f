#pragma once
// One timer: calls back at the latest time it was set to. CAF's timers are not used: on 0.17.6 the
// clock thread can deadlock on its own queue, and later versions are linear in pending timers. The
// cores keep their own deadlines and ask for the next one only.

#include "schemas/envelope.hpp"
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace edupulse {

class alarm {
public:
  explicit alarm(std::function<void()> ring);
  ~alarm();
  alarm(const alarm&) = delete;
  alarm& operator=(const alarm&) = delete;

  /// Replaces the time it is set to. Any thread.
  void set(time_point when);

private:
  void run();

  const std::function<void()> ring_;
  std::mutex mutex_;
  std::condition_variable changed_;
  time_point when_ = time_point::max();
  time_point sleeps_until_ =
      time_point::min(); ///< the past: it is awake, and looks at `when_` next
  bool ended_ = false;
  std::thread thread_; // last: it uses all of the above
};

} // namespace edupulse
