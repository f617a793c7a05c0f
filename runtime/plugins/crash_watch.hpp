#pragma once
// The call that a thread is in, for the signal handler of a thread that crashes.

#include "runtime/plugins/crash_notes.hpp"

namespace edupulse::crash_watch {

struct place {
  call_slot* slot = nullptr;
  int backtrace = -1; ///< where to write it
};

/// This thread's. On the first use, if crashes are watched, the thread gets a stack for signals.
place& here() noexcept;

} // namespace edupulse::crash_watch
