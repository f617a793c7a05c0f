#pragma once
// How a node sets up CAF when it makes the actor system itself.

#include "actors/caf.hpp"

namespace edupulse {

/// Before the system is made. `workers`: threads that run handlers, at least 1.
void configure(caf::actor_system_config& config, std::size_t workers);

} // namespace edupulse
