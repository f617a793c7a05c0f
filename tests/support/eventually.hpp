#pragma once
// For tests with real threads: waits until something is so. The test's own time limit ends it.

#include <thread>

namespace edupulse::test {

template <class F> void eventually(F happened) {
  while (!happened())
    std::this_thread::yield();
}

} // namespace edupulse::test
