#pragma once
// HANDLER: the shell around one runner. See interfaces.hpp for what it hears and says.

#include "actors/inbox.hpp"
#include "actors/interfaces.hpp"
#include "actors/runner.hpp"

namespace edupulse {

struct handler_setup {
  handler_up self; ///< who it is
  std::shared_ptr<const runner_surroundings> around;
  std::shared_ptr<handler_control> control;
  std::shared_ptr<inbox> reports;
  caf::actor router; ///< dropped after the first answer, so that no cycle keeps either alive
};

struct handler_state {
  static inline const char* name = "edupulse.handler";
  std::unique_ptr<runner> life;
};

caf::behavior handler_behavior(caf::stateful_actor<handler_state>* self, handler_setup setup);

} // namespace edupulse
