#pragma once
// What became of an event, for whoever published it.

#include "actors/tracker.hpp"
#include "schemas/envelope.hpp"
#include <utility>

namespace edupulse {

/// What `publish` gives back. Value; cheap; outlives the node.
class receipt {
public:
  receipt() = default;
  receipt(event_id id, receipt_tracker* tracked) noexcept : id_(id), tracked_(tracked) {}
  receipt(const receipt& other) noexcept : receipt(other.id_, other.tracked_) {
    if (tracked_ != nullptr)
      tracked_->retain();
  }
  receipt(receipt&& other) noexcept
      : id_(other.id_), tracked_(std::exchange(other.tracked_, nullptr)) {}
  receipt& operator=(receipt other) noexcept {
    std::swap(id_, other.id_);
    std::swap(tracked_, other.tracked_);
    return *this;
  }
  ~receipt() {
    if (tracked_ != nullptr)
      tracked_->release();
  }

  const event_id& id() const noexcept { return id_; }
  /// Errors: `not_tracked`.
  expected<receipt_status> status() const;
  /// Waits until every matching subscription has concluded, whatever the conclusions. Errors:
  /// `timed_out`, `not_tracked`, `refused` on a handler's thread.
  expected<receipt_status> wait(duration patience) const;

private:
  event_id id_;
  receipt_tracker* tracked_ = nullptr;
};

} // namespace edupulse
