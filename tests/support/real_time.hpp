#pragma once
// For tests against other people's servers, which live in real time: a load has a pace, and a
// server takes its time to start. No assertion depends on how long anything took.

#include <chrono>
#include <thread>

namespace edupulse::test {

inline void rest(std::chrono::milliseconds span) { std::this_thread::sleep_for(span); }

/// Again and again, until so long has passed.
template <class F> void keep_on(std::chrono::milliseconds span, F step) {
  const auto end = std::chrono::steady_clock::now() + span;
  while (std::chrono::steady_clock::now() < end)
    step();
}

} // namespace edupulse::test
