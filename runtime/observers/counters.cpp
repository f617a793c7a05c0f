#include "runtime/observers/counters.hpp"

namespace edupulse {

namespace {
// In the order of the variants in observer.hpp and effect.hpp; sizes are checked below.
constexpr std::string_view input_names[] = {
    "inputs.events",      "inputs.reports",       "inputs.completed", "inputs.ticks",
    "inputs.handlers_up", "inputs.handlers_down", "inputs.commands"};
constexpr std::string_view effect_names[] = {"batches.dispatched",
                                             "handlers.started",
                                             "handlers.stopped",
                                             "letters.buried",
                                             "letters.redriven",
                                             "receipts.routed",
                                             "receipts.settled",
                                             "gates.changed",
                                             "subscriptions.ended_by_request",
                                             "subscriptions.ended_by_themselves",
                                             "drains.done",
                                             "events.retried",
                                             "events.stepped_aside",
                                             "breakers.opened",
                                             "breakers.closed",
                                             "subscriptions.stalled",
                                             "subscriptions.recovered",
                                             "subscriptions.dropping",
                                             "scopes.quarantined",
                                             "scopes.resumed",
                                             "restarts.backed_off",
                                             "handlers.ended",
                                             "workers.held",
                                             "peers.acknowledged",
                                             "peers.told",
                                             "members.refused",
                                             "members.reassigned",
                                             "peers.gone",
                                             "ledgers.gathered",
                                             "asks.unanswered",
                                             "answers.unknown"};
static_assert(std::size(input_names) == std::variant_size_v<input>);
static_assert(std::size(effect_names) == std::variant_size_v<effect>);
} // namespace

void counters_observer::on_input(const input& what, const router&, time_point) {
  inputs_[what.index()].add(1);
  if (const auto* events = std::get_if<inputs::events>(&what))
    events_.add(events->what.entries.size());
}

void counters_observer::on_effect(const effect& what, const router&, time_point) {
  effects_[what.index()].add(1);
  if (const auto* sent = std::get_if<effects::dispatch>(&what))
    dispatched_.add(sent->work->size());
}

std::vector<std::pair<std::string, std::uint64_t>> counters_observer::snapshot() const {
  std::vector<std::pair<std::string, std::uint64_t>> all{
      {"events.routed", events_.get()}, {"deliveries.dispatched", dispatched_.get()}};
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    all.emplace_back(input_names[i], inputs_[i].get());
  for (std::size_t i = 0; i < effects_.size(); ++i)
    all.emplace_back(effect_names[i], effects_[i].get());
  return all;
}

} // namespace edupulse
