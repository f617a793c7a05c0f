#pragma once
// Looks over the shoulder of a plugin's handler: what it succeeded with, and what it published.

#include <edupulse/handler.hpp>
#include <memory>
#include <string>

namespace edupulse::simulator {

/// Of one handler object, and on its thread; `ended` and `keeps` on that of a completion, too.
class handler_watch {
public:
  virtual ~handler_watch() = default;
  /// A call ended, or what one had deferred was completed.
  virtual void ended(const envelope& event, std::uint32_t attempt, std::uint64_t gap,
                     bool succeeded) = 0;
  /// What leaves with a call that has succeeded, or deferred.
  struct sent {
    event_id id;
    const event_type* type;
    std::string subject;
    std::uint64_t key = 0;     ///< hash
    std::uint64_t payload = 0; ///< hash
  };
  virtual void published(const sent& what) { static_cast<void>(what); }
  /// True: it has taken the token of a completion, and there is no answer.
  virtual bool keeps(deferral& token) {
    static_cast<void>(token);
    return false;
  }
};

std::unique_ptr<handler> watched(std::unique_ptr<handler> inner, std::shared_ptr<handler_watch> by);

} // namespace edupulse::simulator
