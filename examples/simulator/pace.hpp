#pragma once
// Turns at a rate, and texts on a line.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <poll.h>
#include <string>

namespace edupulse::simulator {

/// So many turns a second; 0: no limit. Who was late catches up with a tenth of a second at most.
class pace {
public:
  explicit pace(double rate) : rate_(rate), from_(clock::now()) {}

  void wait_for_turn(const std::atomic<bool>& enough) {
    if (rate_ <= 0)
      return;
    for (;;) {
      const double passed = std::chrono::duration<double>(clock::now() - from_).count();
      const double ahead = static_cast<double>(turns_) / rate_ - passed;
      if (ahead < -0.1) { // it does not owe the past
        from_ = clock::now();
        turns_ = 0;
      }
      if (ahead <= 0 || enough)
        break;
      ::poll(nullptr, 0, static_cast<int>(std::clamp(ahead * 1000, 1.0, 100.0)));
    }
    ++turns_;
  }

private:
  using clock = std::chrono::steady_clock;
  double rate_;
  clock::time_point from_;
  std::uint64_t turns_ = 0;
};

/// One line, whatever is in it.
inline std::string on_one_line(std::string text) {
  for (auto& each : text)
    if (each == '\n' || each == '\r')
      each = ' ';
  return text;
}

} // namespace edupulse::simulator
