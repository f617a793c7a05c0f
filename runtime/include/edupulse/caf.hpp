#pragma once
// For people who write CAF actors. The only public header that includes CAF.
//
//   edupulse::subscribe_behavior(node, "lesson.>", "indexer", [](caf::event_based_actor* self) {
//     return caf::behavior{[=](const edupulse::caf_event& what) {
//       return edupulse::outcome::ok();
//     }};
//   });

#include "actors/caf.hpp"
#include <concepts>
#include <edupulse/node.hpp>
#include <edupulse/plugin_description.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace edupulse {

/// What a behavior gets for each event, as a request. Its response must be an `outcome`.
struct caf_event {
  envelope_ptr event;
};

using behavior_factory = std::function<caf::behavior(caf::event_based_actor*)>;

/// A node in an actor system of the application's, which must outlive it. The node uses its
/// scheduler for `shared` handlers.
expected<node> start_on(caf::actor_system& system, node_options options);

/// A handler that is a CAF actor of its own, made by `make` at each start. One event, one request;
/// the response is the outcome, and may be a promise. When the actor ends, what it was handling
/// counts as a crash of those events and `make` is called again at once.
expected<subscription> subscribe_behavior(node& at, std::string_view filter, std::string name,
                                          behavior_factory make, subscription_options options = {});

/// The actors that run a subscription now. For monitoring and for tests: sending them anything but
/// an exit message is dropped. Empty for inline handlers.
std::vector<caf::actor> handler_actors(const node& at, std::string_view subscription);

/// For `plugin::add`: a handler of a plugin that is a CAF actor, as above. `F` is a lambda without
/// captures, `caf::behavior(caf::event_based_actor*, const plugin_settings&)`. A swap ends the old
/// actor: an event that it has not answered is given to the new one, too.
template <class F>
constexpr plugin_handler plugin_behavior(std::string_view name, std::string_view filter, F,
                                         const plugin_handler_options& options = {}) {
  static_assert(std::is_empty_v<F> && std::default_initializable<F>,
                "a lambda that is a plugin's behavior captures nothing: use the settings");
  plugin_handler one{.name = name, .options = options};
  one.options.filter = filter;
  one.behave = [](caf::event_based_actor* self, const plugin_settings& settings) -> caf::behavior {
    return F{}(self, settings);
  };
  return one;
}

} // namespace edupulse

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::caf_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::outcome)
