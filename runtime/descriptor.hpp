#pragma once
// Owns what `open` answered, and closes it.

#include <unistd.h>
#include <utility>

namespace edupulse {

class descriptor {
public:
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number_ >= 0)
      ::close(number_);
  }
  explicit operator bool() const noexcept { return number_ >= 0; }
  int number() const noexcept { return number_; }
  /// The caller closes it from now on.
  int release() noexcept { return std::exchange(number_, -1); }

private:
  int number_;
};

} // namespace edupulse
