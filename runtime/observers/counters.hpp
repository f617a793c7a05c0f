#pragma once
// The counters: how often the router's core was told what, and asked for what.

#include "actors/observer.hpp"
#include <array>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace edupulse {

class counters_observer final : public observer {
public:
  void on_input(const input& what, const router& core, time_point now) override;
  void on_effect(const effect& what, const router& core, time_point now) override;

  /// Name and count, in a fixed order. Any thread; each count is whole, not all of one instant.
  std::vector<std::pair<std::string, std::uint64_t>> snapshot() const;

private:
  /// Written by one thread, read by any: a plain load and store, no locked add.
  class count {
  public:
    void add(std::uint64_t n) noexcept {
      value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
  };

  count events_;
  count chunks_;
  std::array<count, std::variant_size_v<input>> inputs_;
  std::array<count, std::variant_size_v<effect>> effects_;
  count dispatched_;
};

} // namespace edupulse
