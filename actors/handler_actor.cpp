#include "actors/handler_actor.hpp"

namespace edupulse {

namespace {

using self_pointer = caf::stateful_actor<handler_state>*;

void make_handler(self_pointer self, const std::shared_ptr<handler_setup>& setup) {
  if (setup->control->revoked) { // given up on before it got a thread
    setup->router = nullptr;
    self->quit(caf::exit_reason::user_shutdown);
    return;
  }
  auto& state = caf_shim::state_of(self);
  state.life = std::make_unique<runner>(setup->around, setup->control);
  if (auto why = state.life->start(setup->self.lane)) {
    setup->control->why_it_ended = std::move(*why);
    state.life.reset();
    self->quit(caf::exit_reason::unhandled_exception);
    return;
  }
  caf_shim::send(std::exchange(setup->router, nullptr), setup->self);
}

/// The user's object goes first: when the router hears of the end, its successor may begin.
void end(self_pointer self) {
  caf_shim::state_of(self).life.reset();
  self->quit(caf::exit_reason::user_shutdown);
}

void handle(self_pointer self, const handler_setup& setup, const batch_ptr& work) {
  auto& state = caf_shim::state_of(self);
  if (!state.life)
    return;
  switch (state.life->run(*work)) {
  case runner::ending::done:
    setup.reports->report(work);
    break;
  case runner::ending::revoked:
    setup.reports->report(work);
    end(self);
    break;
  case runner::ending::crashed:
    state.life.reset();
    self->quit(caf::exit_reason::unhandled_exception);
    break;
  }
}

} // namespace

caf::behavior handler_behavior(self_pointer self, handler_setup given) {
  caf_shim::after_spawn_or_end();
  auto setup = std::make_shared<handler_setup>(std::move(given));
  self->set_default_handler(caf::drop);
  return caf_shim::on_messages(
      self, [=](begin) { make_handler(self, setup); },
      [=](const batch_ptr& work) { handle(self, *setup, work); }, [=](stop) { end(self); });
}

} // namespace edupulse
