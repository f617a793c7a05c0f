// Handlers of a simulated node: actors that take their messages in turn, as handler_actor does.

#include "runtime/simulation/node.hpp"
#include <stdexcept>

namespace edupulse::simulation {

/// Answers as its script says, and by the dice; tells the record.
class node::scripted final : public handler {
public:
  scripted(node& on, std::uint32_t which) : on_(on), which_(which) {}

  outcome handle(const envelope& event, context& ctx) override {
    auto& script = on_.scripts_.at(which_);
    auto dice = on_.kind_ ? 1.0 : on_.chance_.unit();
    const auto meets = [&](double chance) { return (dice -= chance) < 0; };
    const auto tell = [&](bool succeeded) {
      on_.around_.seen.handled(event, on_.number_, script.number, ctx.attempt(), succeeded,
                               on_.time());
    };
    const bool is_early = !on_.kind_ && ++script.calls <= script.how.crash_loop_for;
    if (!on_.kind_ && script.how.is_poison && script.how.is_poison(event)) {
      tell(false);
      return outcome::reject("poison");
    }
    if (!is_early && meets(script.how.defer))
      return defer(ctx, script);
    const bool crashes = is_early || meets(script.how.crash);
    const bool retries = meets(script.how.retry);
    const bool rejects = meets(script.how.reject);
    const bool is_down = meets(script.how.unavailable);
    tell(dice >= 0 && !is_early);
    if (crashes)
      throw std::runtime_error(is_early ? "not ready yet" : "a crash by the dice");
    if (retries)
      return outcome::retry("not now");
    if (rejects)
      return outcome::reject("never");
    return is_down ? outcome::unavailable("it is down") : outcome::ok();
  }

private:
  outcome defer(context& ctx, const script& script) {
    auto token = std::make_shared<deferral>(ctx.defer());
    const auto wait = duration(static_cast<duration::rep>(
        on_.chance_.unit() * static_cast<double>(script.how.defers_for.count())));
    ++on_.deferrals_;
    on_.later(wait, [this_node = &on_, token, number = script.number, attempt = ctx.attempt()] {
      --this_node->deferrals_;
      const bool succeeds = this_node->kind_ || this_node->chance_.unit() < 0.8;
      this_node->around_.seen.handled(token->event(), this_node->number_, number, attempt, succeeds,
                                      this_node->time());
      token->complete(succeeds ? outcome::ok() : outcome::retry("it came to nothing"));
    });
    return outcome::deferred();
  }

  node& on_;
  std::uint32_t which_;
};

std::unique_ptr<handler> node::make_handler(std::uint32_t which) {
  const auto& known = scripts_.at(which);
  if (!known.make)
    return std::make_unique<scripted>(*this, which);
  // What it defers may be completed when this start of the node is gone.
  return known.make([self = self_, number = known.number](const envelope& event,
                                                          std::uint32_t attempt, bool succeeded) {
    if (*self != nullptr)
      (*self)->around_.seen.handled(event, (*self)->number_, number, attempt, succeeded,
                                    (*self)->time());
  });
}

// -- actors ---------------------------------------------------------------------------------------

void node::dispatch(const batch_ptr& work) {
  const auto at = lives_.find({work->subscription, work->lane});
  if (at == lives_.end() || at->second.generation != work->generation)
    return; // ended meanwhile: its end is on the way and takes the batch back
  at->second.mailbox.push_back(work);
  go_on(at->first, work->generation);
}

void node::go_on(lane_key at, std::uint32_t generation) {
  auto& one = lives_.at(at);
  if (one.busy || !one.self || one.mailbox.empty())
    return;
  one.busy = true;
  const auto pace = static_cast<double>(scripts_.at(at.first).how.pace.count());
  const auto takes = pace * one.mailbox.front()->size() * (0.5 + chance_.unit());
  later(duration(static_cast<duration::rep>(takes)),
        [this, at, generation] { work(at, generation); });
}

void node::work(lane_key at, std::uint32_t generation) {
  const auto found = lives_.find(at);
  if (found == lives_.end() || found->second.generation != generation)
    return;
  auto& one = found->second;
  const auto batch = std::move(one.mailbox.front());
  one.mailbox.erase(one.mailbox.begin());
  one.busy = false;
  switch (one.self->run(*batch)) {
  case runner::ending::done:
    mail_->report(batch);
    return go_on(at, generation);
  case runner::ending::revoked:
    mail_->report(batch);
    return ended(at, generation, exit_kind::shutdown, "the actor ended: user_shutdown");
  case runner::ending::crashed:
    one.self.reset();
    return ended(at, generation, exit_kind::error, one.control->why_it_ended);
  }
}

void node::start_handler(const effects::start_handler& what) {
  const lane_key at{what.subscription, what.lane};
  auto control = std::make_shared<handler_control>();
  lives_[at] = life{what.generation, nullptr, control};
  later(duration(1), [this, at, control, around = scripts_.at(what.subscription).around,
                      generation = what.generation] {
    if (control->revoked) // given up on before it got a thread
      return ended(at, generation, exit_kind::shutdown, "the actor ended: user_shutdown");
    auto self = std::make_unique<runner>(around, control);
    if (const auto why = self->start(at.second))
      return ended(at, generation, exit_kind::failed_start, *why);
    const auto own = lives_.find(at);
    if (own == lives_.end() || own->second.generation != generation)
      return;
    own->second.self = std::move(self);
    hop([this, at, generation] {
      desk_.on_handler_up(at.first, at.second, generation, time());
      turn();
    });
  });
}

void node::stop_handler(const effects::stop_handler& what) {
  const lane_key at{what.subscription, what.lane};
  const auto found = lives_.find(at);
  if (found == lives_.end() || found->second.generation != what.generation)
    return;
  found->second.control->revoked = true;
  if (found->second.self && !found->second.busy)
    ended(at, what.generation, exit_kind::shutdown, "the actor ended: user_shutdown");
}

/// The router hears of it; what the actor had not begun goes back.
void node::ended(lane_key at, std::uint32_t generation, exit_kind how, std::string why) {
  hop([this, at, generation, how, why = std::move(why)] {
    if (const auto own = lives_.find(at);
        own != lives_.end() && own->second.generation == generation)
      lives_.erase(own);
    desk_.on_handler_down(at.first, at.second, generation, how, why, time());
    send_orders();
    turn();
  });
}

} // namespace edupulse::simulation
