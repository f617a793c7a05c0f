#include "actors/supervision.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {
namespace {

constexpr std::uint32_t max_intensity = 10'000;
constexpr duration longest = std::chrono::hours(24);

std::string milliseconds(duration what) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(what).count());
}

/// Null when all is well, else the rule that is broken.
const char* broken_rule(const scope_options& what) {
  const auto within = [](duration value) { return value >= duration::zero() && value <= longest; };
  if (what.strategy > restart_strategy::rest_for_one)
    return "strategy must be one_for_one, one_for_all or rest_for_one";
  if (what.intensity > max_intensity)
    return "intensity must be at most 10000 restarts";
  if (!within(what.period) || what.period == duration::zero())
    return "period must be more than 0 and at most 24 h";
  if (!within(what.back_off) || !within(what.back_off_cap) || what.back_off > what.back_off_cap)
    return "back_off must be at most back_off_cap, and both from 0 to 24 h";
  if (!within(what.quiet))
    return "quiet must be from 0 to 24 h";
  return nullptr;
}

/// OTP's table of restart kinds and exits.
bool starts_again(restart_kind restart, exit_kind why) {
  switch (restart) {
  case restart_kind::permanent:
    return true;
  case restart_kind::transient:
    return why != exit_kind::normal && why != exit_kind::shutdown;
  case restart_kind::temporary:
    return false;
  }
  return false;
}

/// A hang counts even after completed events: each one leaves a stuck thread behind.
bool is_unproductive(exit_kind why, bool productive) {
  return !productive || why == exit_kind::hang || why == exit_kind::failed_start;
}

/// Whether a child waits for the earlier ones of its scope: start order is part of the strategy.
bool keeps_line(const scope_options& what) {
  return what.strategy != restart_strategy::one_for_one;
}

} // namespace

// -- scopes -----------------------------------------------------------------------

expected<supervision::scope_id> supervision::add_scope(std::string name, scope_options options) {
  if (const char* rule = broken_rule(options))
    return fail(errc::invalid_option, "supervision scope '" + name + "': " + rule);
  if (auto known = find_scope(name)) {
    if (scopes_[*known].options == options)
      return *known;
    return fail(errc::duplicate_name,
                "supervision scope '" + name +
                    "' exists with other options; use the same ones or another name");
  }
  scope_id which = static_cast<scope_id>(scopes_.size());
  if (free_scopes_.empty()) {
    scopes_.emplace_back();
  } else {
    which = free_scopes_.back();
    free_scopes_.pop_back();
    scopes_[which] = scope{};
  }
  scopes_[which].name = name;
  scopes_[which].options = options;
  names_.emplace(std::move(name), which);
  return which;
}

expected<void> supervision::change_limits(scope_id which, scope_options to) {
  scope& where = scopes_[which];
  if (const char* rule = broken_rule(to))
    return fail(errc::invalid_option, "supervision scope '" + where.name + "': " + rule);
  to.strategy = where.options.strategy;
  where.options = to;
  where.counted.clear();
  return {};
}

void supervision::remove_scope(scope_id which) {
  scope& where = scopes_[which];
  assert(!where.name.empty() && where.order.empty() && !where.wake);
  names_.erase(where.name);
  where = scope{};
  free_scopes_.push_back(which);
}

std::optional<supervision::scope_id> supervision::find_scope(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

void supervision::resume(scope_id which, time_point now, effects& out) {
  scope& where = scopes_[which];
  if (!where.quarantined || stopped_)
    return;
  where.quarantined = false;
  where.counted.clear();
  out.emplace_back(resumed{which});
  for (const child_id id : where.order) {
    child& who = children_.at(id);
    if (who.state != child_state::held)
      continue;
    who.streak = 0;
    who.failed = false;
    who.not_before = now;
    set_state(who, child_state::waiting);
  }
  start_due(which, now, out);
}

// -- children ---------------------------------------------------------------------

supervision::child_id supervision::add_child(scope_id where, restart_kind restart, time_point now,
                                             effects& out) {
  const child_id id = next_child_++;
  child& who = children_[id];
  who.scope = where;
  who.restart = restart;
  who.not_before = now;
  scope& home = scopes_[where];
  home.order.push_back(id);
  if (home.quarantined || stopped_) {
    who.state = child_state::held;
    return id;
  }
  const bool behind_others = keeps_line(home.options) && home.waiting > 0;
  set_state(who, child_state::waiting);
  if (!behind_others)
    start_child(id, who, now, out);
  return id;
}

void supervision::renew(child_id id, time_point now, effects& out) {
  child& who = children_.at(id);
  if (who.state != child_state::running)
    return; // its next start takes the new code by itself
  stop_child(id, who, child_state::waiting, out);
  who.not_before = now;
  start_child(id, who, now, out);
  arm(who.scope);
}

void supervision::remove_child(child_id id, effects& out) {
  const auto found = children_.find(id);
  if (found == children_.end())
    return;
  const scope_id home = found->second.scope;
  stop_child(id, found->second, child_state::removed, out);
  children_.erase(found);
  std::erase(scopes_[home].order, id);
  arm(home);
}

void supervision::on_exit(child_id who, std::uint32_t generation, exit_kind why, bool productive,
                          time_point now, effects& out) {
  if (!is_current(who, generation))
    return;
  child& failed = children_.at(who);
  if (!starts_again(failed.restart, why)) {
    set_state(failed, child_state::ended);
    out.emplace_back(ended{who});
    return;
  }
  scope& home = scopes_[failed.scope];
  const bool unproductive = is_unproductive(why, productive);
  if (unproductive) {
    ++home.counts.unproductive;
    if (intensity_exceeded(home, now)) {
      quarantine(failed.scope, who,
                 std::to_string(home.counted.size()) + " unproductive restarts within " +
                     milliseconds(home.options.period) + " ms, " +
                     std::to_string(home.options.intensity) + " allowed; the last was '" +
                     std::string(to_string(why)) + "'",
                 out);
      return;
    }
  }
  ++home.counts.restarts;
  const duration delay = delay_before_restart(failed, unproductive, now);
  for (auto& counted : home.counted)
    counted += delay; // waiting is not trying: see the header
  restart(who, now + delay, now, out);
}

/// The failed child, and whom its strategy takes along, start at `until`.
void supervision::restart(child_id failed, time_point until, time_point now, effects& out) {
  child& who = children_.at(failed);
  who.not_before = until;
  set_state(who, child_state::waiting);
  const bool line = keeps_line(scopes_[who.scope].options);
  if (line)
    stop_siblings(failed, until, out);
  if (until > now)
    out.emplace_back(backing_off{failed, until});
  if (line)
    start_due(who.scope, now, out);
  else if (until <= now)
    start_child(failed, who, now, out);
  arm(who.scope);
}

/// one_for_all: all others; rest_for_one: those declared after the failed one. Reverse order.
void supervision::stop_siblings(child_id failed, time_point until, effects& out) {
  const scope& home = scopes_[children_.at(failed).scope];
  for (auto at = home.order.rbegin(); at != home.order.rend(); ++at) {
    child& who = children_.at(*at);
    if (*at == failed) {
      if (home.options.strategy == restart_strategy::rest_for_one &&
          !planted("rest_for_one_restarts_all"))
        return;
    } else if (who.restart == restart_kind::temporary) {
      if (who.state != child_state::ended) {
        stop_child(*at, who, child_state::ended, out);
        out.emplace_back(ended{*at});
      }
    } else {
      const bool was_waiting = who.state == child_state::waiting;
      stop_child(*at, who, child_state::waiting, out);
      who.not_before = was_waiting ? std::max(who.not_before, until) : until;
    }
  }
}

void supervision::quarantine(scope_id which, child_id who, std::string_view why, effects& out) {
  scope& where = scopes_[which];
  where.quarantined = true;
  ++where.counts.quarantines;
  set_state(children_.at(who), child_state::held);
  for (auto at = where.order.rbegin(); at != where.order.rend(); ++at) {
    child& sibling = children_.at(*at);
    if (sibling.state == child_state::ended)
      continue;
    if (sibling.restart == restart_kind::temporary) {
      stop_child(*at, sibling, child_state::ended, out);
      out.emplace_back(ended{*at});
    } else {
      stop_child(*at, sibling, child_state::held, out);
    }
  }
  arm(which);
  out.emplace_back(quarantined{which, "scope '" + where.name + "': " + std::string(why) +
                                          ". Resume the scope when the cause is mended"});
}

void supervision::hold(child_id who, std::string_view why, effects& out) {
  const auto at = children_.find(who);
  if (at == children_.end() || scopes_[at->second.scope].quarantined)
    return;
  quarantine(at->second.scope, who, why, out);
}

/// Counts a restart. Timestamps exactly one period old still count, as in OTP.
bool supervision::intensity_exceeded(scope& where, time_point now) {
  std::erase_if(where.counted, [&](time_point t) { return t < now - where.options.period; });
  where.counted.push_back(now);
  return where.counted.size() > where.options.intensity && !planted("quarantine_never_entered");
}

duration supervision::delay_before_restart(child& who, bool unproductive, time_point now) {
  if (!unproductive) {
    who.streak = 0;
    return duration::zero();
  }
  const scope_options& options = scopes_[who.scope].options;
  if (who.streak > 0 && now - who.quiet_since >= options.quiet)
    who.streak = 0;
  who.streak = std::min(who.streak + 1, 64u); // by then the cap has long been reached
  who.failed = true;
  if (who.streak == 1)
    return duration::zero();
  duration delay = options.back_off;
  for (std::uint32_t n = 2; n < who.streak && delay < options.back_off_cap; ++n)
    delay *= 2;
  return planted("back_off_without_cap") ? delay : std::min(delay, options.back_off_cap);
}

// -- starting and stopping --------------------------------------------------------

void supervision::set_state(child& who, child_state to) {
  scope& home = scopes_[who.scope];
  if (who.state == child_state::waiting)
    --home.waiting;
  if (to == child_state::waiting)
    ++home.waiting;
  who.state = to;
}

void supervision::start_child(child_id id, child& who, time_point now, effects& out) {
  assert(who.state == child_state::waiting);
  set_state(who, child_state::running);
  ++who.generation;
  if (std::exchange(who.failed, false))
    who.quiet_since = now;
  out.emplace_back(start{id, who.generation});
}

void supervision::stop_child(child_id id, child& who, child_state to, effects& out) {
  if (who.state == child_state::running)
    out.emplace_back(stop{id, who.generation});
  set_state(who, to);
}

void supervision::start_due(scope_id which, time_point now, effects& out) {
  const scope& where = scopes_[which];
  for (std::size_t i = 0; i < where.order.size() && where.waiting > 0; ++i) {
    const child_id id = where.order[i];
    child& who = children_.at(id);
    if (who.state != child_state::waiting)
      continue;
    if (who.not_before <= now)
      start_child(id, who, now, out);
    else if (keeps_line(where.options))
      break;
  }
  arm(which);
}

void supervision::stop_all(effects& out) {
  stopped_ = true;
  for (scope_id which = static_cast<scope_id>(scopes_.size()); which-- > 0;) {
    scope& where = scopes_[which];
    for (auto at = where.order.rbegin(); at != where.order.rend(); ++at)
      if (child& who = children_.at(*at); who.state != child_state::ended)
        stop_child(*at, who, child_state::held, out);
    arm(which);
  }
}

// -- time -------------------------------------------------------------------------

void supervision::on_wake(time_point now, effects& out) {
  while (!wakes_.empty() && wakes_.begin()->first <= now)
    start_due(wakes_.begin()->second, now, out);
}

std::optional<time_point> supervision::next_deadline() const {
  return wakes_.empty() ? std::nullopt : std::optional(wakes_.begin()->first);
}

/// Keeps the scope's entry in wakes_ equal to when its next child may start.
void supervision::arm(scope_id which) {
  scope& where = scopes_[which];
  std::optional<time_point> next;
  for (std::size_t i = 0; i < where.order.size() && where.waiting > 0; ++i) {
    const child& who = children_.at(where.order[i]);
    if (who.state != child_state::waiting)
      continue;
    next = next ? std::min(*next, who.not_before) : who.not_before;
    if (keeps_line(where.options))
      break;
  }
  if (next == where.wake)
    return;
  if (where.wake)
    wakes_.erase({*where.wake, which});
  if (next)
    wakes_.emplace(*next, which);
  where.wake = next;
}

// -- reading ----------------------------------------------------------------------

supervision::scope_state supervision::state(scope_id which) const {
  const scope& where = scopes_[which];
  if (stopped_)
    return scope_state::stopped;
  if (where.quarantined)
    return scope_state::quarantined;
  return where.waiting > 0 ? scope_state::backing_off : scope_state::running;
}

supervision::child_status supervision::status(child_id who) const {
  const auto found = children_.find(who);
  if (found == children_.end())
    return {0, 0, child_state::removed, 0};
  const child& what = found->second;
  return {what.scope, what.generation, what.state, what.generation > 1 ? what.generation - 1 : 0};
}

bool supervision::is_current(child_id who, std::uint32_t generation) const noexcept {
  const auto found = children_.find(who);
  return found != children_.end() && found->second.state == child_state::running &&
         found->second.generation == generation;
}

} // namespace edupulse
