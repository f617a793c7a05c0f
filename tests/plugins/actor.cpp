// A plugin whose handler is a CAF actor. ACTOR_VERSION is its version.

#include "tally.capnp.h"
#include <edupulse/caf.hpp>
#include <edupulse/plugin.hpp>

EDUPULSE_PLUGIN(edupulse::plugin("actor", ACTOR_VERSION)
                    .setting("refuse", false, "reject everything")
                    .add(edupulse::plugin_behavior(
                        "handler", "lesson.published.>",
                        [](caf::event_based_actor*, const auto& settings) {
                          return caf::behavior{[refuse = settings.flag("refuse")](
                                                   const edupulse::caf_event& what) {
                            return refuse
                                       ? edupulse::outcome::reject(ACTOR_VERSION " has refused " +
                                                                   std::string(what.event->topic()))
                                       : edupulse::outcome::ok();
                          }};
                        })));
