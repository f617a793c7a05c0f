#pragma once
// The one place that includes CAF for the actors and hides what differs between its versions.
// Everything here exists in CAF 0.17.6 and has a twin in CAF 1.x; see docs/decisions.md.

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/logger.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <cstddef>
#include <string>

#ifdef CAF_MAJOR_VERSION
#define EDUPULSE_CAF_MAJOR CAF_MAJOR_VERSION
#else
#define EDUPULSE_CAF_MAJOR CAF_VERSION_MAJOR
#endif

namespace edupulse::caf_shim {

template <class Dest, class... Ts> void send(const Dest& to, Ts&&... what) {
#if EDUPULSE_CAF_MAJOR < 1
  caf::anon_send(to, std::forward<Ts>(what)...);
#else
  caf::anon_mail(std::forward<Ts>(what)...).send(to);
#endif
}

/// Asks an actor to end, as a supervisor would.
inline void send_exit(const caf::actor& to) {
  caf::anon_send_exit(to, caf::exit_reason::user_shutdown);
}

template <class State, class Base> State& state_of(caf::stateful_actor<State, Base>* self) {
#if EDUPULSE_CAF_MAJOR < 1
  return self->state;
#else
  return self->state();
#endif
}

/// Call after touching an actor system on a thread that may outlive it. CAF 0.17 leaves a reference
/// to the system's logger in that thread, and the system's destructor waits for it for ever when it
/// runs on another thread.
inline void leave_system() {
#if EDUPULSE_CAF_MAJOR < 1
  caf::logger::set_current_actor_system(nullptr);
#endif
}

} // namespace edupulse::caf_shim
