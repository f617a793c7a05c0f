// Handlers that are CAF behaviors. The runtime's own HANDLER passes each event to a courier, which
// makes it a request to the user's actor and the response the outcome of the event's deferral.

#include "runtime/caf_behavior.hpp"

#include "actors/caf.hpp"
#include "runtime/node_access.hpp"
#include "runtime/node_impl.hpp"
#include <edupulse/caf.hpp>

namespace edupulse {

namespace {

struct delivery_job {
  envelope_ptr event;
  std::shared_ptr<deferral> done;
};

} // namespace

} // namespace edupulse

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::delivery_job)

namespace edupulse {

namespace {

struct courier_state {
  static inline const char* name = "edupulse.courier";
  caf::actor user;
};
using courier_pointer = caf::stateful_actor<courier_state>*;

caf::actor start_user(courier_pointer self, const behavior_factory& make) {
  caf_shim::before_spawn_or_end();
  auto user = self->spawn([make](caf::event_based_actor* own) {
    caf_shim::after_spawn_or_end();
    own->set_exception_handler(
        [](std::exception_ptr&) -> caf::error { return caf::exit_reason::unhandled_exception; });
    return make(own);
  });
  self->monitor(user);
  return user;
}

caf::behavior courier(courier_pointer self, behavior_factory make) {
  caf_shim::after_spawn_or_end();
  auto& state = caf_shim::state_of(self);
  state.user = start_user(self, make);
  self->set_down_handler([self, make](caf::down_msg& what) {
    caf_shim::after_spawn_or_end();
    auto& own = caf_shim::state_of(self);
    if (what.source == own.user.address())
      own.user = start_user(self, make);
  });
  return caf_shim::on_messages(
      self,
      [self](const delivery_job& job) {
        auto done = job.done;
        self->request(caf_shim::state_of(self).user, caf::infinite, caf_event{job.event})
            .then([done](const outcome& said) { done->complete(said); },
                  [self, done](const caf::error& why) {
                    done->complete(outcome::crash("caf::error", self->system().render(why)));
                  });
      },
      [self](stop) {
        caf_shim::send_exit(caf_shim::state_of(self).user);
        caf_shim::state_of(self).user = nullptr;
        self->quit();
      });
}

class behavior_handler final : public handler {
public:
  behavior_handler(caf::actor_system& system, behavior_factory make)
      : courier_(system.spawn(courier, std::move(make))) {}
  ~behavior_handler() override { caf_shim::send(courier_, stop{}); }

  outcome handle(const envelope& event, context& ctx) override {
    caf_shim::send(courier_, delivery_job{envelope_ptr::share(event),
                                          std::make_shared<deferral>(ctx.defer())});
    return outcome::deferred(); // bounded by the subscription's window
  }

private:
  caf::actor courier_;
};

} // namespace

handler_recipe behavior_recipe(caf::actor_system& system, behavior_factory make) {
  return {[&system, make = std::move(make)]() -> std::unique_ptr<handler> {
            return std::make_unique<behavior_handler>(system, make);
          },
          false};
}

expected<node> start_on(caf::actor_system& system, node_options options) {
  return node_access::start(std::move(options), &system);
}

expected<subscription> subscribe_behavior(node& at, std::string_view filter, std::string name,
                                          behavior_factory make, subscription_options options) {
  auto recipe = behavior_recipe(node_access::impl(at).system(), std::move(make));
  return at.subscribe(filter, std::move(name), std::move(recipe.make), std::move(options));
}

std::vector<caf::actor> handler_actors(const node& at, std::string_view name) {
  return node_access::impl(at).handler_actors(name);
}

} // namespace edupulse
