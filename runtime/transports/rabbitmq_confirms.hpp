#pragma once
// What was published and has not been confirmed. RabbitMQ numbers messages itself, from 1 on each
// channel, and confirms them out of order and many at once.

#include "actors/handler.hpp"
#include <deque>
#include <string>

namespace edupulse {

class rabbitmq_confirms {
public:
  /// The next message of the channel. The reference is good until it is settled.
  const envelope& push(deferral done, time_point now);
  /// All up to `tag` when `multiple`; all there are when it is 0. Not taken: an outage.
  void settle(std::uint64_t tag, bool multiple, bool taken, time_point now);
  /// No queue took it; its confirmation comes later.
  void mark_returned(std::string_view id, std::string why);
  /// The channel is gone; the next message has number 1.
  void answer_all(const outcome& with);

  bool empty() const noexcept { return open_.empty(); }
  std::size_t size() const noexcept { return open_.size(); }
  /// When the last one came, or since when one has been owed.
  time_point heard() const noexcept { return heard_; }

private:
  struct message {
    deferral done;
    std::string returned; ///< why no queue took it
  };
  static void answer(message& one, bool taken);

  std::deque<message> open_;
  std::uint64_t first_tag_ = 1; ///< of `open_`
  time_point heard_{};
};

} // namespace edupulse
