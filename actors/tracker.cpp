#include "actors/tracker.hpp"
#include <utility>

namespace edupulse {

void receipt_tracker::routed(std::uint32_t owed) {
  std::lock_guard guard(mutex_);
  status_.routed = true;
  status_.owed = owed;
  changed_.notify_all();
}

void receipt_tracker::concluded(fate how, std::string by) {
  std::lock_guard guard(mutex_);
  if (status_.by.size() < receipt_status::max_named)
    status_.by.push_back({std::move(by), how});
  switch (how) {
  case fate::handled:
    ++status_.handled;
    break;
  case fate::dead:
    ++status_.dead;
    break;
  case fate::expired:
    ++status_.expired;
    break;
  case fate::dropped:
    ++status_.dropped;
    break;
  }
  if (status_.complete())
    changed_.notify_all();
}

receipt_status receipt_tracker::status() const {
  std::lock_guard guard(mutex_);
  return status_;
}

bool receipt_tracker::wait(duration patience) {
  std::unique_lock guard(mutex_);
  return changed_.wait_for(guard, patience, [this] { return status_.complete(); });
}

} // namespace edupulse
