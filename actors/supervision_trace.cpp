// What people and tests see of the supervision: its effects as lines, and its invariants.

#include "actors/supervision.hpp"
#include <cassert>

namespace edupulse {
namespace {

std::string child_and_generation(std::uint32_t child, std::uint32_t generation) {
  return " child=" + std::to_string(child) + " generation=" + std::to_string(generation);
}

struct line {
  std::string operator()(const supervision::start& what) const {
    return "start" + child_and_generation(what.child, what.generation);
  }
  std::string operator()(const supervision::stop& what) const {
    return "stop" + child_and_generation(what.child, what.generation);
  }
  std::string operator()(const supervision::quarantined& what) const {
    return "quarantined scope=" + std::to_string(what.scope) + " why=\"" + what.why + '"';
  }
  std::string operator()(const supervision::resumed& what) const {
    return "resumed scope=" + std::to_string(what.scope);
  }
  std::string operator()(const supervision::ended& what) const {
    return "ended child=" + std::to_string(what.child);
  }
  std::string operator()(const supervision::backing_off& what) const {
    const auto since = what.until.time_since_epoch();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
    return "backing_off child=" + std::to_string(what.child) + " until=" + std::to_string(ms);
  }
};

} // namespace

std::string to_string(const supervision::effect& what) { return std::visit(line{}, what); }

std::string_view to_string(exit_kind why) noexcept {
  constexpr std::string_view names[] = {"normal", "shutdown", "error",
                                        "kill",   "hang",     "failed start"};
  return names[static_cast<std::size_t>(why)];
}

std::string_view to_string(supervision::scope_state state) noexcept {
  constexpr std::string_view names[] = {"running", "backing off", "quarantined", "stopped"};
  return names[static_cast<std::size_t>(state)];
}

void supervision::check() const {
#ifndef NDEBUG
  std::size_t armed = 0;
  std::size_t living = 0;
  for (scope_id which = 0; which < scopes_.size(); ++which) {
    const scope& where = scopes_[which];
    assert(where.name.empty() || find_scope(where.name) == which);
    // One more than allowed is counted exactly while the scope is quarantined for it.
    assert(where.counted.size() <= where.options.intensity + (where.quarantined ? 1u : 0u));
    const bool line = where.options.strategy != restart_strategy::one_for_one;
    std::size_t waiting = 0;
    for (const child_id id : where.order) {
      const child& who = children_.at(id);
      assert(who.scope == which && who.state != child_state::removed);
      assert(who.state != child_state::running || who.generation > 0);
      if (who.state == child_state::waiting)
        ++waiting;
      // Start order: nobody runs who was declared after one that still waits.
      assert(!line || waiting == 0 || who.state != child_state::running);
      // A scope that may not start anything holds its children, and no other scope does.
      assert(who.state == child_state::ended ||
             (who.state == child_state::held) == (where.quarantined || stopped_));
    }
    assert(waiting == where.waiting);
    assert(where.wake.has_value() == (waiting > 0)); // whoever waits is woken
    assert(!where.wake || wakes_.contains({*where.wake, which}));
    armed += where.wake ? 1u : 0u;
    living += where.order.size();
  }
  assert(armed == wakes_.size());
  assert(living == children_.size());
#endif
}

} // namespace edupulse
