#pragma once
// One connection of one broker's client library. `broker_transport` gives it a thread.

#include "runtime/transports/broker_message.hpp"
#include <edupulse/transport.hpp>
#include <vector>

namespace edupulse {

/// An event as the broker gets it, with the token its outcome is answered on.
struct outgoing {
  broker_message message;
  deferral done;
};

/// Answers all of them, and forgets them.
template <class Messages> void answer_all(Messages& open, const outcome& with) {
  for (auto& one : open)
    one.done.complete(with);
  open.clear();
}

/// One thread calls these. Errors are `unavailable`, in the words of the broker or its client, and
/// end the connection: by then everything that was given to `send` has been answered, and `connect`
/// is what comes next.
class broker_session {
public:
  virtual ~broker_session() = default;

  /// Blocks for as long as the session's options say.
  virtual expected<void> connect() = 0;
  /// Takes messages over, in order; there is at least one. Each token is completed once the broker
  /// has confirmed the message: here, in `wait`, or by a thread of the client library.
  virtual expected<void> send(std::vector<outgoing> batch) = 0;
  /// There is nothing to send. Returns once `wake`, a descriptor, is readable, and sees meanwhile
  /// to confirmations, heartbeats and time limits.
  virtual expected<void> wait(int wake) = 0;
};

} // namespace edupulse
