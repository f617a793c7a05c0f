#pragma once
// A CAF behavior as a handler, for the parts of the runtime that subscribe one.

#include <edupulse/caf.hpp>

namespace edupulse {

handler_recipe behavior_recipe(caf::actor_system& system, behavior_factory make);

} // namespace edupulse
