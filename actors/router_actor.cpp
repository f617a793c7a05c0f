#include "actors/router_actor.hpp"
#include "actors/handler_actor.hpp"
#include <ctime>
#include <sys/prctl.h>

namespace edupulse {

namespace {

/// After a turn of this many events and reports the router naps instead of waiting to be woken:
/// publishers then never pay for waking it, and events gather into batches worth their overhead.
constexpr std::size_t busy_turn = 16;
constexpr long nap_ns = 40'000;
constexpr int rounds_per_turn = 64;

/// The kernel rounds sleeps up by the thread's timer slack, 50 µs unless told otherwise.
void nap() {
  thread_local const int precise = ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  static_cast<void>(precise);
  const timespec length{0, nap_ns};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &length, nullptr);
}

exit_kind kind_of(const caf::error& reason) {
  if (!reason)
    return exit_kind::normal;
  if (reason == caf::exit_reason::kill)
    return exit_kind::kill;
  if (reason == caf::exit_reason::user_shutdown ||
      reason == caf::exit_reason::remote_link_unreachable)
    return exit_kind::shutdown;
  return exit_kind::error;
}

} // namespace

// -- turns ------------------------------------------------------------------------------

void router_state::open(router_setup given) {
  setup = std::move(given);
  desk = std::make_unique<edupulse::desk>(setup.core, *this);
}

/// One wake: everything that lies in the inbox, and what comes in meanwhile. Bounded, so that
/// messages (errands, ends of handlers) get their turn under any load.
void router_state::turn() {
  runtime_thread_mark mark(runtime_role::router);
  for (int round = 0; round < rounds_per_turn; ++round) {
    setup.mail->wait_for_wire(desk->core().waits_for_wire());
    setup.mail->take(mail, true);
    const auto now = setup.host->now();
    const bool ticked = tick_if_due(now);
    if (mail.empty()) {
      if (ticked)
        continue; // it may wait for the wire from now on
      settle_later();
      arm_next();
      return; // the next one to leave something rings
    }
    const bool busy = mail.weight() >= busy_turn;
    desk->on_contents(mail, now);
    settle_later();
    if (!busy)
      continue;
    nap();
    if (setup.shares_thread)
      break;
  }
  caf_shim::send(caf::actor_cast<caf::actor>(self), wake{});
}

bool router_state::tick_if_due(time_point now) {
  const auto due = desk->core().next_deadline();
  if (!due || *due > now)
    return false;
  armed = time_point::max();
  desk->on_tick(now);
  settle_later();
  return true;
}

void router_state::arm_next() {
  const auto due = desk->core().next_deadline();
  if (!due || *due == armed)
    return;
  armed = *due;
  setup.host->arm(*due);
}

void router_state::settle_later() {
  while (!later.empty()) {
    auto doing = std::exchange(later, {});
    for (auto& what : doing)
      what();
  }
  if (orders)
    caf_shim::send(setup.wire, std::exchange(orders, nullptr));
}

void router_state::run(const errand& what) {
  runtime_thread_mark mark(runtime_role::router);
  turn(); // what was left before this was asked comes first: a drain must not overlook it
  what.run(*desk);
  settle_later();
  turn();
}

void router_state::on_up(const handler_up& who) {
  runtime_thread_mark mark(runtime_role::router);
  desk->on_handler_up(who.subscription, who.lane, who.generation, setup.host->now());
  turn();
}

void router_state::on_down(const caf::down_msg& what) {
  caf_shim::after_spawn_or_end();
  runtime_thread_mark mark(runtime_role::router);
  const auto at = addresses.find(what.source);
  if (at == addresses.end())
    return;
  auto [who, control, was_stuck] = std::move(at->second);
  addresses.erase(at);
  if (was_stuck)
    setup.host->stuck(who.subscription, true);
  const auto key = lane_key{who.subscription, who.lane};
  if (auto own = children.find(key);
      own != children.end() && own->second.generation == who.generation)
    children.erase(own);
  auto kind = kind_of(what.reason);
  auto why = control->why_it_ended;
  if (kind == exit_kind::error && why.starts_with("its factory"))
    kind = exit_kind::failed_start;
  if (why.empty())
    why = "the actor ended: " + self->system().render(what.reason);
  desk->on_handler_down(who.subscription, who.lane, who.generation, kind, std::move(why),
                        setup.host->now());
  settle_later();
  turn();
}

void router_state::finish() {
  for (auto& [key, one] : children)
    one.control->revoked = true;
  children.clear();
  self->quit(caf::exit_reason::user_shutdown);
}

// -- hands --------------------------------------------------------------------------------

void router_state::dispatch(const batch_ptr& work) {
  const auto at = children.find({work->subscription, work->lane});
  if (at == children.end() || at->second.generation != work->generation)
    return; // ended meanwhile: its end is on the way and takes the batch back
  if (at->second.inline_life)
    later.emplace_back([this, work] {
      const auto own = children.find({work->subscription, work->lane});
      if (own != children.end() && own->second.generation == work->generation)
        run_inline(own->second, work);
    });
  else
    caf_shim::send(at->second.actor, work);
}

void router_state::start_handler(const effects::start_handler& what) {
  auto around = setup.host->surroundings(what.subscription);
  auto& into = children[{what.subscription, what.lane}];
  into = child{what.generation, nullptr, std::make_shared<handler_control>(), nullptr};
  const auto place = desk->core().options(what.subscription).execution;
  if (place == execution_place::inlined) {
    start_inline(what, into);
    return;
  }
  handler_setup given{{what.subscription, what.lane, what.generation},
                      std::move(around),
                      into.control,
                      setup.mail,
                      caf::actor_cast<caf::actor>(self)};
  const bool own = place == execution_place::own_thread || what.fresh_thread;
  caf_shim::before_spawn_or_end();
  into.actor = own ? self->spawn<caf::detached>(handler_behavior, std::move(given))
                   : self->spawn(handler_behavior, std::move(given));
  self->monitor(into.actor);
  addresses.emplace(into.actor.address(),
                    address{{what.subscription, what.lane, what.generation}, into.control, false});
  setup.host->started(what.subscription, what.lane, into.actor);
  caf_shim::send(into.actor, begin{});
}

void router_state::stop_handler(const effects::stop_handler& what) {
  const auto at = children.find({what.subscription, what.lane});
  if (at == children.end() || at->second.generation != what.generation)
    return;
  at->second.control->revoked = true;
  if (!at->second.actor) { // inline: nothing is running while we are here
    children.erase(at);
    later.emplace_back([this, what] {
      desk->on_handler_down(what.subscription, what.lane, what.generation, exit_kind::shutdown,
                            "stopped", setup.host->now());
    });
    return;
  }
  caf_shim::send(at->second.actor, stop{});
  if (what.stuck) {
    addresses.at(at->second.actor.address()).stuck = true;
    setup.host->stuck(what.subscription, false);
  }
}

void router_state::bury(effects::bury&& what) { setup.host->bury(std::move(what.letter)); }

void router_state::settle_redrive(const effects::settle_redrive& what) {
  setup.host->settle_redrive(what.letter, what.how);
}

void router_state::set_gate(std::uint32_t subscription, bool closed) {
  if (closed)
    setup.mail->close_gate(subscription, desk->core().name(subscription),
                           desk->core().filter(subscription));
  else
    setup.mail->open_gate(subscription);
}

void router_state::unsubscribed(std::uint32_t subscription) {
  setup.host->unsubscribed(subscription);
}

void router_state::drained() { setup.host->drained(); }

void router_state::ledgers(effects::ledgers&& what) { setup.host->ledgers(std::move(what)); }

void router_state::to_peer(std::uint64_t session, const std::shared_ptr<peer_message>& what) {
  if (!orders)
    orders = std::make_shared<wire_orders::element_type>();
  orders->push_back({session, what});
}

// -- inline handlers ------------------------------------------------------------------------

void router_state::start_inline(const effects::start_handler& what, child& into) {
  into.inline_life =
      std::make_unique<runner>(setup.host->surroundings(what.subscription), into.control);
  auto why = into.inline_life->start(what.lane);
  later.emplace_back([this, what, why = std::move(why)] {
    const auto now = setup.host->now();
    if (!why) {
      desk->on_handler_up(what.subscription, what.lane, what.generation, now);
      return;
    }
    children.erase({what.subscription, what.lane});
    desk->on_handler_down(what.subscription, what.lane, what.generation, exit_kind::failed_start,
                          *why, now);
  });
}

void router_state::run_inline(child& who, const batch_ptr& work) {
  const auto control = who.control;
  const auto ended = who.inline_life->run(*work);
  if (ended != runner::ending::crashed) {
    desk->on_report(work, setup.host->now());
    return;
  }
  children.erase({work->subscription, work->lane});
  desk->on_handler_down(work->subscription, work->lane, work->generation, exit_kind::error,
                        control->why_it_ended, setup.host->now());
}

// -- behavior ---------------------------------------------------------------------------------

caf::behavior router_behavior(caf::stateful_actor<router_state>* self, router_setup setup) {
  return router_messages(self, std::move(setup));
}

} // namespace edupulse
