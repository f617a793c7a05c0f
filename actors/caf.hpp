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

#if defined(__SANITIZE_THREAD__)
#define EDUPULSE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EDUPULSE_THREAD_SANITIZER 1
#endif
#endif

#ifdef EDUPULSE_THREAD_SANITIZER
extern "C" void __tsan_acquire(void* what);
extern "C" void __tsan_release(void* what);
#endif

namespace edupulse::caf_shim {

// -- what ThreadSanitizer cannot see -----------------------------------------------------------
//
// CAF's mailboxes, spawns and ends of actors are in its library, which is not instrumented: each
// message would be a race. So it is told: what an actor does comes after all that was sent to it,
// what an actor's first and last moments have to do with others after all that was done up to then.

#ifdef EDUPULSE_THREAD_SANITIZER
inline char lives; ///< of actors: an address, and no more
inline void leave_for(const caf::abstract_actor* to) {
  __tsan_release(const_cast<caf::abstract_actor*>(to));
}
inline void take_up(const caf::abstract_actor* self) {
  __tsan_acquire(const_cast<caf::abstract_actor*>(self));
}
inline void before_spawn_or_end() { __tsan_release(&lives); }
inline void after_spawn_or_end() { __tsan_acquire(&lives); }
#else
inline void leave_for(const caf::abstract_actor*) {}
inline void take_up(const caf::abstract_actor*) {}
inline void before_spawn_or_end() {}
inline void after_spawn_or_end() {}
#endif

namespace detail {
template <class F, class R, class... Ts>
auto in_order(const caf::abstract_actor* self, F does, R (F::*)(Ts...) const) {
  return [self, does](Ts... what) -> R {
    take_up(self);
    struct ends { // its next message may be another thread's
      const caf::abstract_actor* self;
      ~ends() {
        leave_for(self);
        before_spawn_or_end();
      }
    } after{self};
    return does(static_cast<Ts>(what)...);
  };
}
} // namespace detail

/// The behavior of an actor of ours: what it does on which message.
template <class... Fs> caf::behavior on_messages(const caf::abstract_actor* self, Fs... does) {
#ifdef EDUPULSE_THREAD_SANITIZER
  return caf::behavior{detail::in_order(self, std::move(does), &Fs::operator())...};
#else
  static_cast<void>(self);
  return caf::behavior{std::move(does)...};
#endif
}

// -- sending ----------------------------------------------------------------------------------

template <class Dest, class... Ts> void send(const Dest& to, Ts&&... what) {
#if defined(EDUPULSE_THREAD_SANITIZER) && EDUPULSE_CAF_MAJOR < 1
  if (!to)
    return;
  auto* at = caf::actor_cast<caf::abstract_actor*>(to);
  auto made =
      caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::forward<Ts>(what)...);
  leave_for(at);
  at->enqueue(std::move(made), nullptr);
#elif EDUPULSE_CAF_MAJOR < 1
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
