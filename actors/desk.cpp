#include "actors/desk.hpp"
#include "actors/tracker.hpp"
#include "schemas/overloaded.hpp"

namespace edupulse {

namespace {
receipt_tracker& tracker_of(const envelope& event) {
  return static_cast<receipt_tracker&>(*event.tracked_by());
}
} // namespace

void desk::show(const input& what, time_point now) {
  for (auto* who : observers_)
    who->on_input(what, core_, now);
}

void desk::on_contents(inbox::contents& what, time_point now) {
  // Events first: what a handler published is owed before its own event is concluded.
  for (auto& events : what.events) {
    show(inputs::events{*events}, now);
    core_.on_events(events, now, effects_);
  }
  for (auto& work : what.reports) {
    show(inputs::report{*work}, now);
    core_.on_report(work, now, effects_);
  }
  for (auto& done : what.completions) {
    show(inputs::completed{done.subscription, done.seq, done.what}, now);
    core_.on_completion(done.subscription, done.seq, done.attempt, std::move(done.what), now,
                        effects_);
  }
  for (auto& said : what.peers) {
    if (std::holds_alternative<peer_inputs::session_up>(said) ||
        std::holds_alternative<peer_inputs::session_lost>(said))
      carry_out(now); // what the peer is told so far belongs to the session before
    neighbours_.apply(core_, std::move(said), now, effects_);
  }
  carry_out(now);
}

void desk::on_report(const batch_ptr& work, time_point now) {
  show(inputs::report{*work}, now);
  core_.on_report(work, now, effects_);
  carry_out(now);
}

void desk::on_tick(time_point now) {
  show(inputs::tick{}, now);
  core_.on_wake(now, effects_);
  carry_out(now);
}

void desk::on_handler_up(std::uint32_t which, std::uint32_t lane, std::uint32_t generation,
                         time_point now) {
  show(inputs::up{which, lane, generation}, now);
  core_.on_handler_up(which, lane, generation, now, effects_);
  carry_out(now);
}

void desk::on_handler_down(std::uint32_t which, std::uint32_t lane, std::uint32_t generation,
                           exit_kind how, std::string why, time_point now) {
  show(inputs::down{which, lane, generation, why}, now);
  core_.on_handler_down(which, lane, generation, how, std::move(why), now, effects_);
  carry_out(now);
}

/// In order, until none is left. Hands may call back into the desk (an inline handler reports at
/// once): what that asks for is carried out by the loop that is running already.
void desk::carry_out(time_point now) {
  if (busy_)
    return;
  busy_ = true;
  while (!effects_.empty()) {
    doing_.swap(effects_);
    for (auto& what : doing_) {
      for (auto* who : observers_)
        who->on_effect(what, core_, now);
      perform(what, now);
    }
    doing_.clear();
  }
  busy_ = false;
#ifndef NDEBUG
  if (++turns_ % 64 == 0) // linear in all that is owed: not every time
    core_.check();
#endif
}

/// The same form for subscriptions here and elsewhere. Only tracked events pay for it.
std::string desk::full_name(std::uint32_t subscription) const {
  const auto& name = core_.name(subscription);
  return subscriber_index::is_remote(subscription) ? name : name + "@" + node_name_;
}

void desk::perform(effect& what, time_point now) {
  std::visit(overloaded{
                 [&](effects::dispatch& e) { hands_.dispatch(e.work); },
                 [&](effects::start_handler& e) { hands_.start_handler(e); },
                 [&](effects::stop_handler& e) { hands_.stop_handler(e); },
                 [&](effects::bury& e) { hands_.bury(std::move(e)); },
                 [&](effects::settle_redrive& e) { hands_.settle_redrive(e); },
                 [&](effects::routed& e) { tracker_of(*e.event).routed(e.owed); },
                 [&](effects::settle& e) {
                   tracker_of(*e.event).concluded(e.how, full_name(e.subscription));
                 },
                 [&](effects::gate& e) { hands_.set_gate(e.subscription, e.closed); },
                 [&](effects::unsubscribed& e) {
                   core_.withdraw(e, now, effects_);
                   hands_.unsubscribed(e.subscription);
                 },
                 [&](effects::drained&) { hands_.drained(); },
                 [&](effects::to_peer& e) {
                   if (const auto session = neighbours_.session_of(e.peer))
                     hands_.to_peer(*session, e.what);
                 },
                 [&](effects::ledgers& e) { hands_.ledgers(std::move(e)); },
                 [&](effects::acknowledge& e) { core_.acknowledge(e, now, effects_); },
                 [](auto&) {}, // a decision: observers have seen it
             },
             what);
}

} // namespace edupulse
