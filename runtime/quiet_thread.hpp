#pragma once
// How threads of the runtime begin whose libraries write to connections.

#include <csignal>
#include <pthread.h>
#include <string>

namespace edupulse {

/// Signals are the application's, and a connection that breaks while it is written to is an error
/// and no SIGPIPE. The name is cut to the 15 bytes that the system has for it.
inline void begin_quiet_thread(const std::string& name) noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
}

} // namespace edupulse
