#pragma once
// A place between a node and its connections, for tests and simulations. A node that is given none
// (every node in production) has nothing there.

#include "schemas/error.hpp"
#include <string>

namespace edupulse {

class wire_hook {
public:
  virtual ~wire_hook() = default;
  /// This node has made a connection to `address`, "host:port" as the peer advertises it. Takes the
  /// socket over, and answers the one to use: itself, or another one that leads there. Called on a
  /// thread that may wait. Errors: `io`, as if nobody had answered.
  virtual expected<int> dialled(int socket, const std::string& address) = 0;
};

} // namespace edupulse
