#pragma once
// Where that is ended whose end takes long: a transport waits there for the client of its broker,
// for seconds when the broker hangs. The last reference to one may be given up anywhere, by a
// handler actor or on the router's thread, and nobody there may wait.
//
//   queue    bound                                      when full
//   waiting  transports of mirrors that were detached   never: an operator detaches them
//            or swapped

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace edupulse {

/// Ends things one after the other, on a thread of its own that begins with the first.
class reaper : public std::enable_shared_from_this<reaper> {
public:
  ~reaper() { finish(); }

  /// The same, in a pointer whose last copy gives it up here. Any thread.
  template <class T> std::shared_ptr<T> adopt(std::shared_ptr<T> what) {
    T* const plain = what.get();
    return {plain, [here = shared_from_this(), kept = std::move(what)](T*) mutable {
              here->take(std::move(kept));
            }};
  }
  /// Waits for the end of all that was given up. What comes later is ended where it is given up.
  void finish();

private:
  void take(std::shared_ptr<void> what);
  bool has_thread();
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<void>> waiting_;
  bool finished_ = false;
  std::thread thread_;
};

} // namespace edupulse
