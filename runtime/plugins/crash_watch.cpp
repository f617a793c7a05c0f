// The signal handler marks the slot of its thread, writes where the thread was, and lets the
// process die as it would have. It calls nothing that allocates: backtrace() has loaded what it
// needs before, and backtrace_symbols_fd() writes to a file that is open.

#include "runtime/plugins/crash_watch.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <edupulse/plugin_host.hpp>
#include <execinfo.h>
#include <memory>
#include <mutex>

namespace edupulse {

namespace crash_watch {

namespace {

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::size_t signal_stack_bytes = std::size_t{64} << 10;
constexpr int frames_of_ours = 2; // this handler, and the kernel's way into it

std::array<struct sigaction, signals.size()> before;
std::atomic<bool> watching{false};

/// A handler that has used up its stack has none left for a signal handler.
class signal_stack {
public:
  signal_stack() : bytes_(std::make_unique<char[]>(signal_stack_bytes)) {
    const stack_t ours{bytes_.get(), 0, signal_stack_bytes};
    ::sigaltstack(&ours, &before_);
  }
  signal_stack(const signal_stack&) = delete;
  signal_stack& operator=(const signal_stack&) = delete;
  ~signal_stack() {
    if (before_.ss_size == 0)
      before_.ss_flags = SS_DISABLE;
    ::sigaltstack(&before_, nullptr);
  }

private:
  std::unique_ptr<char[]> bytes_;
  stack_t before_{};
};

thread_local place now_at;

void mark(int how) noexcept {
  now_at.slot->how.store(how, std::memory_order_relaxed);
  now_at.slot->state.store(call_slot::crashed, std::memory_order_release);
}

void on_signal(int number) {
  if (now_at.slot != nullptr) {
    mark(number);
    std::array<void*, 32> frames;
    const int found = ::backtrace(frames.data(), frames.size());
    if (found > frames_of_ours)
      ::backtrace_symbols_fd(frames.data() + frames_of_ours, found - frames_of_ours,
                             now_at.backtrace);
  }
  for (std::size_t i = 0; i < signals.size(); ++i)
    if (signals[i] == number)
      ::sigaction(number, &before[i], nullptr);
  ::raise(number); // comes when this returns
}

void on_exit() {
  if (now_at.slot != nullptr)
    mark(0);
}

void start() {
  std::array<void*, 1> frames;
  static_cast<void>(::backtrace(frames.data(), frames.size())); // loads libgcc
  static_cast<void>(std::atexit(on_exit));
  struct sigaction ours {};
  ours.sa_handler = on_signal;
  ours.sa_flags = SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  for (std::size_t i = 0; i < signals.size(); ++i)
    ::sigaction(signals[i], &ours, &before[i]);
  watching = true;
}

} // namespace

place& here() noexcept {
  if (now_at.backtrace < 0 && watching.load(std::memory_order_relaxed)) {
    static thread_local const signal_stack stack;
    static_cast<void>(stack);
  }
  return now_at;
}

} // namespace crash_watch

void watch_for_crashes() {
  static std::once_flag once;
  std::call_once(once, crash_watch::start);
}

} // namespace edupulse
