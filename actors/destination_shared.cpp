// A destination that is a member of a group, at its end. See groups.hpp.

#include "actors/destination.hpp"
#include "schemas/planted.hpp"
#include <utility>

namespace edupulse {

std::vector<envelope_ptr> destination::hand_over(effect_list& out) {
  std::vector<envelope_ptr> all;
  const auto give = [&](const envelope& event) {
    ++row_of(event).dropped[static_cast<std::size_t>(drop_reason::reassigned)];
    owed_.take(1, event.footprint());
    seat_->concluded(event);
    all.push_back(envelope_ptr::share(event));
  };
  const auto sent = in_flight_events_;
  restart(); // all that is left waits now, what was sent before what was not
  std::size_t i = 0;
  for (const auto& part : std::exchange(waiting_, {}))
    for (auto at = part.begin; at < part.end; ++at, ++i) {
      const auto& event = *part.events->entries[at].event;
      if (i < sent && event.level() == delivery_level::best_effort &&
          !planted("best_effort_sent_again"))
        lose(event, drop_reason::unsubscribed, out); // it may have been handled: never twice
      else
        give(event);
    }
  return all;
}

} // namespace edupulse
