// The router as a supervisor: it follows what supervision decides, one lane (handler actor) at a
// time. A stopped handler finishes the call it is in, and its successor starts when it is gone, so
// that two generations never handle one key at once; only a stuck one is not waited for.

#include "actors/router.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

void router::follow(supervision::effects&& asked, time_point now, effect_list& out) {
  for (auto& one : asked) {
    if (const auto* what = std::get_if<supervision::start>(&one)) {
      start_in_order(places_.at(what->child), what->generation, out);
    } else if (const auto* halt = std::get_if<supervision::stop>(&one)) {
      stop_lane(places_.at(halt->child), halt->generation, now, out);
    } else if (auto* bad = std::get_if<supervision::quarantined>(&one)) {
      out.emplace_back(effects::quarantined{supervision_.name(bad->scope), std::move(bad->why)});
      quarantine(bad->scope, true, now, out);
    } else if (const auto* good = std::get_if<supervision::resumed>(&one)) {
      out.emplace_back(effects::resumed{supervision_.name(good->scope)});
      quarantine(good->scope, planted("quarantine_never_lifted"), now, out);
    } else if (const auto* wait = std::get_if<supervision::backing_off>(&one)) {
      const auto at = places_.at(wait->child);
      out.emplace_back(effects::backing_off{at.which, at.lane, wait->until});
    } else if (const auto* last = std::get_if<supervision::ended>(&one)) {
      const auto at = places_.at(last->child);
      if (!slots_[at.which]->removing) {
        slots_[at.which]->ended_by_itself = true;
        end_subscription(at.which, drop_reason::unsubscribed, now, out);
      }
    }
  }
}

/// Where one child may depend on those before it, a child starts when the one before it is up.
void router::start_in_order(place at, std::uint32_t generation, effect_list& out) {
  const auto scope = slots_[at.which]->scope;
  if (supervision_.options(scope).strategy == restart_strategy::one_for_one ||
      planted("siblings_start_together")) {
    start_lane(at, generation, out);
    return;
  }
  auto& line = starts_[scope];
  line.push_back({at, generation});
  if (line.size() == 1)
    start_lane(at, generation, out);
}

/// Moves on when the first in line is up, or will not come up.
void router::start_waiting(effect_list& out) {
  const auto comes_up = [&](const start_order& one) {
    const auto* what = live(one.at.which);
    if (what == nullptr)
      return false;
    const auto& where = what->lanes[one.at.lane];
    return where.next_generation == one.generation ||
           (where.generation == one.generation && where.phase == lane_phase::starting);
  };
  for (auto& [scope, line] : starts_)
    while (!line.empty() && !comes_up(line.front())) {
      line.pop_front();
      if (!line.empty())
        start_lane(line.front().at, line.front().generation, out);
    }
  std::erase_if(starts_, [](const auto& one) { return one.second.empty(); });
}

void router::start_lane(place at, std::uint32_t generation, effect_list& out) {
  auto& what = slots_[at.which]->lanes[at.lane];
  if (what.phase != lane_phase::down && !planted("two_lives_at_once")) {
    what.next_generation = generation;
    return;
  }
  const bool own = std::exchange(what.fresh_thread, false) || stuck_.hold_all_workers();
  what.phase = lane_phase::starting;
  what.generation = generation;
  what.on_worker = !own && options(at.which).execution == execution_place::shared;
  what.next_generation.reset();
  out.emplace_back(effects::start_handler{at.which, at.lane, generation, own});
}

void router::stop_lane(place at, std::uint32_t generation, time_point, effect_list& out) {
  auto& what = slots_[at.which]->lanes[at.lane];
  const auto scope = slots_[at.which]->scope;
  if (const auto line = starts_.find(scope); line != starts_.end() && line->second.size() > 1)
    line->second.erase(std::remove_if(line->second.begin() + 1, line->second.end(),
                                      [&](const start_order& one) { return one.at == at; }),
                       line->second.end());
  if (what.next_generation == generation) {
    what.next_generation.reset(); // it had not begun
    return;
  }
  if (what.generation != generation || what.phase == lane_phase::down ||
      what.phase == lane_phase::stopping)
    return;
  what.phase = lane_phase::stopping;
  slots_[at.which]->owed->lane_stopping(at.lane);
  out.emplace_back(effects::stop_handler{at.which, at.lane, generation, false});
}

void router::on_handler_up(std::uint32_t which, std::uint32_t at, std::uint32_t generation,
                           time_point now, effect_list& out) {
  auto* what = live(which);
  if (what == nullptr || what->lanes[at].generation != generation ||
      what->lanes[at].phase != lane_phase::starting)
    return;
  what->lanes[at].phase = lane_phase::up;
  what->owed->lane_up(at, generation);
  touch(which);
  finish_turn(now, out);
}

void router::on_handler_down(std::uint32_t which, std::uint32_t at, std::uint32_t generation,
                             exit_kind how, std::string why, time_point now, effect_list& out) {
  if (stuck_.remove(which, at, generation))
    return; // given up on long ago
  auto* what = live(which);
  if (what == nullptr || what->lanes[at].generation != generation ||
      what->lanes[at].phase == lane_phase::down)
    return;
  auto& one = what->lanes[at];
  const bool expected_end = one.phase == lane_phase::stopping;
  one.phase = lane_phase::down;
  const bool productive = what->owed->lane_down(at, why, now, out);
  out.emplace_back(effects::handler_down{which, at, generation, std::move(why)});
  touch(which);
  if (!expected_end) {
    supervision::effects asked;
    supervision_.on_exit(one.child, generation, how, productive, now, asked);
    follow(std::move(asked), now, out);
  } else if (one.next_generation) {
    start_lane({which, at}, *one.next_generation, out);
  }
  finish_turn(now, out);
}

// -- calls that do not return -----------------------------------------------------------------

/// Handlers past their time limit: their generation is revoked, and nobody waits for them.
void router::fence_stuck(std::uint32_t which, time_point now, effect_list& out) {
  const auto late = slots_[which]->owed->stuck_lanes(now);
  for (const auto at : late)
    fence({which, at}, now, out);
  if (!late.empty() && stuck_.hold_all_workers())
    leave_workers(now, out);
}

void router::fence(place at, time_point now, effect_list& out) {
  auto& one = slots_[at.which]->lanes[at.lane];
  if (one.phase != lane_phase::up && one.phase != lane_phase::stopping)
    return;
  const bool was_stopping = one.phase == lane_phase::stopping;
  one.phase = lane_phase::down;
  one.fresh_thread = true;
  const auto generation = one.generation;
  stuck_.add(at.which, at.lane, generation, one.on_worker);
  out.emplace_back(effects::stop_handler{at.which, at.lane, generation, true});
  const bool productive = slots_[at.which]->owed->lane_down(
      at.lane, "it was at one event longer than its time limit", now, out);
  supervision::effects asked;
  if (stuck_.too_many())
    supervision_.hold(one.child,
                      std::to_string(stuck_.size()) + " calls on this node have not returned, " +
                          std::to_string(stuck_.bounds().most) + " allowed (stuck_calls_max)",
                      asked);
  else if (!was_stopping)
    supervision_.on_exit(one.child, generation, exit_kind::hang, productive, now, asked);
  else if (one.next_generation)
    start_lane(at, *one.next_generation, out);
  follow(std::move(asked), now, out);
}

/// Every worker is held by a call that does not return. What waits for a worker goes on with
/// threads of its own; those that have something to do first, and not more than `most_moved`.
void router::leave_workers(time_point now, effect_list& out) {
  constexpr std::size_t most_moved = 256;
  std::vector<place> waiting;
  for (const bool idle : {false, true})
    for (std::uint32_t which = 0; which < slots_.size(); ++which)
      for (std::uint32_t at = 0; slots_[which] && at < slots_[which]->lanes.size(); ++at)
        if (slots_[which]->lanes[at].on_worker && slots_[which]->owed->idle() == idle &&
            slots_[which]->lanes[at].phase != lane_phase::down &&
            !slots_[which]->owed->call_running(at))
          waiting.push_back({which, at});
  const auto moved = std::min(waiting.size(), most_moved);
  if (waiting.empty())
    return;
  out.emplace_back(effects::workers_held{stuck_.bounds().workers, moved, waiting.size() - moved});
  supervision::effects asked;
  for (std::size_t i = 0; i < moved; ++i)
    move_lane(waiting[i], now, asked, out);
  follow(std::move(asked), now, out);
}

/// Not waited for: it ends unseen when it gets a worker at last.
void router::move_lane(place at, time_point now, supervision::effects& asked, effect_list& out) {
  auto& one = slots_[at.which]->lanes[at.lane];
  const bool was_stopping = one.phase == lane_phase::stopping;
  one.phase = lane_phase::down;
  one.fresh_thread = true;
  out.emplace_back(effects::stop_handler{at.which, at.lane, one.generation, false});
  slots_[at.which]->owed->lane_down(at.lane, "it was moved to a thread of its own", now, out);
  touch(at.which);
  if (!was_stopping)
    supervision_.renew(one.child, now, asked);
  else if (one.next_generation)
    start_lane(at, *one.next_generation, out);
}

void router::quarantine(supervision::scope_id scope, bool on, time_point now, effect_list& out) {
  for (const auto child : supervision_.children(scope)) {
    const auto at = places_.find(child);
    if (at == places_.end())
      continue;
    slots_[at->second.which]->owed->set_quarantined(on, now, out);
    touch(at->second.which);
  }
}

expected<void> router::restart_handlers(std::uint32_t which, time_point now, effect_list& out) {
  auto* what = live(which);
  if (what == nullptr || what->removing)
    return fail(errc::not_found, "no such subscription: it was unsubscribed already");
  supervision::effects asked;
  for (const auto& one : what->lanes)
    supervision_.renew(one.child, now, asked);
  follow(std::move(asked), now, out);
  touch(which);
  finish_turn(now, out);
  return {};
}

} // namespace edupulse
