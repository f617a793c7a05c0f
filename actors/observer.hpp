#pragma once
// Everything that goes into the router's core and everything that comes out passes one place, the
// desk, which shows it to observers. The log, the counters and the golden conversations of the
// tests are three of them.

#include "actors/effect.hpp"
#include <string_view>
#include <variant>

namespace edupulse {

class router;

namespace inputs {
struct events {
  const chunk& what;
};
struct report {
  const batch& what;
};
struct completed {
  std::uint32_t subscription;
  std::uint64_t seq;
  const outcome& what;
};
struct tick {};
struct up {
  std::uint32_t subscription;
  std::uint32_t lane;
  std::uint32_t generation;
};
struct down {
  std::uint32_t subscription;
  std::uint32_t lane;
  std::uint32_t generation;
  std::string_view why;
};
/// subscribe, unsubscribe, pause, resume, scope, restart, redrive, discard, ask, drain, stop
struct command {
  std::string_view verb;
  std::string_view about;
};
} // namespace inputs

using input = std::variant<inputs::events, inputs::report, inputs::completed, inputs::tick,
                           inputs::up, inputs::down, inputs::command>;

/// Called on the router's thread; must be quick, must not throw, must not call back.
class observer {
public:
  virtual ~observer() = default;
  virtual void on_input(const input& what, const router& core, time_point now) = 0;
  virtual void on_effect(const effect& what, const router& core, time_point now) = 0;
};

} // namespace edupulse
