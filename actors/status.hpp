#pragma once
// How a subscription is doing, for people and programs.

#include <cstdint>
#include <string>

namespace edupulse {

struct subscription_status {
  std::string name;
  std::string filter;
  std::string scope; ///< empty: a scope of its own
  /// running, paused, unavailable, stalled, quarantined, backing_off or ending
  std::string state;
  std::uint64_t pending = 0;   ///< events owed and not concluded
  std::uint64_t in_flight = 0; ///< of them, with a handler or deferred
  std::uint64_t restarts = 0;  ///< of its handlers, since it was subscribed
  std::string group{};         ///< empty: none
};

} // namespace edupulse
