#include "virtual_report.hpp"
#include "tell.hpp"
#include <algorithm>

namespace edupulse::simulator {

namespace {

constexpr double look_every = 0.1; ///< seconds

run_report::member_state state_of(member_state what) {
  using state = run_report::member_state;
  switch (what) {
  case member_state::suspect:
    return state::suspect;
  case member_state::dead:
    return state::dead;
  case member_state::left:
    return state::left;
  default:
    return state::alive;
  }
}

} // namespace

void virtual_watch::look(double seconds) {
  next_look_ = seconds + look_every;
  owed_at now{seconds, {}};
  for (std::size_t at = 0; at < all_.size(); ++at)
    if (all_.is_up(at))
      places_[all_.at(at).about().self.node] = at;
  looked_.resize(all_.size());
  for (std::size_t at = 0; at < all_.size(); ++at) {
    const bool up = all_.is_up(at);
    now.by_node.push_back(up ? all_.at(at).core().owed() : 0);
    note(seconds, at, at, up ? run_report::member_state::alive : run_report::member_state::down);
    if (up)
      look_at_view(seconds, at);
  }
  owed_.push_back(std::move(now));
}

/// Of all pairs of nodes only those are looked at where anything can have changed.
void virtual_watch::look_at_view(double seconds, std::size_t at) {
  const auto& who = all_.at(at);
  const std::pair seen(who.number(), who.member_changes());
  if (std::exchange(looked_[at], seen) == seen)
    return;
  for (const auto& one : who.board().members().members())
    if (const auto place = places_.find(one.node); place != places_.end() && place->second != at)
      note(seconds, at, place->second, state_of(one.state));
}

void virtual_watch::note(double seconds, std::size_t by, std::size_t who,
                         run_report::member_state what) {
  const auto [at, fresh] = seen_.try_emplace({by, who}, what);
  if (fresh || at->second != what)
    sightings_.push_back({seconds, name_of(by), name_of(who), what});
  at->second = what;
}

run_report virtual_watch::conclude(const simulation::verdict& found, const std::string& unrest,
                                   double seconds, bool interrupted,
                                   std::vector<std::string> untried) {
  auto made = report_of(plan_);
  made.mode = run_report::run_mode::virtual_time;
  made.seconds = seconds;
  made.membership = sightings_;
  add_samples(made, seconds);
  add_ledger(made);
  made.outcome.unchecked = std::move(untried);
  if (interrupted)
    made.outcome.unchecked.push_back("the run was interrupted");
  add_verdict(made, found, made.outcome.unchecked.empty() ? unrest : std::string());
  return made;
}

void virtual_watch::add_samples(run_report& to, double seconds) const {
  sampler made(plan_.nodes, seconds);
  const auto& seen = all_.seen();
  const auto passed = [&](time_point when) {
    return std::chrono::duration<double>(when - began_).count();
  };
  const auto node_of = [&](simulation::start_number start) {
    const auto& name = seen.starts()[start].node;
    const auto at = std::find(to.nodes.begin(), to.nodes.end(), name);
    return static_cast<std::size_t>(at - to.nodes.begin());
  };
  for (const auto& one : seen.events())
    if (one.accepted)
      made.published(passed(one.when), node_of(one.by));
  for (const auto& one : seen.steps())
    if (one.what == simulation::step_kind::handled)
      made.handled(
          passed(one.when), node_of(one.where),
          std::chrono::duration<double, std::micro>(one.when - seen.events()[one.event].when)
              .count());
  for (const auto& one : owed_)
    made.owed(one);
  to.samples = made.take();
}

void virtual_watch::add_ledger(run_report& to) const {
  std::map<std::pair<std::string, std::string>, run_report::ledger_row> sums;
  for (std::size_t at = 0; at < all_.size(); ++at) {
    if (!all_.is_up(at))
      continue;
    for (const auto& line : all_.at(at).core().ledger_snapshot().lines) {
      if (line.received || line.topic.starts_with('$'))
        continue;
      const auto who = line.subscription.find('@') == std::string::npos
                           ? line.subscription + "@" + all_.at(at).name()
                           : line.subscription;
      auto& sum = sums[{line.topic, who}];
      sum.topic = line.topic;
      sum.subscription = who;
      sum.published += line.published;
      sum.handled += line.handled;
      sum.dead += line.dead;
      sum.expired += line.expired;
      sum.pending += line.pending;
      for (std::size_t why = 0; why < drop_reasons; ++why)
        if (line.dropped[why] > 0)
          sum.dropped[std::string(to_string(static_cast<drop_reason>(why)))] += line.dropped[why];
    }
  }
  for (auto& [key, row] : sums)
    to.ledger.push_back(std::move(row));
}

void virtual_watch::add_verdict(run_report& to, const simulation::verdict& found,
                                const std::string& unrest) const {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& one : found.violations) {
    ++counts[one.what.substr(0, one.what.find(':'))];
    to.outcome.violations.push_back({one.what, one.story});
  }
  if (!unrest.empty()) {
    ++counts["membership"];
    to.outcome.violations.push_back({"membership: " + unrest, {}});
  }
  const auto unexpected = [&](const char* what, std::size_t count) {
    if (count == 0 || plan_.may(what))
      return;
    counts[what] += count;
    to.outcome.violations.push_back(
        {std::string(what) + ": " + std::to_string(count) + " events", {}});
  };
  unexpected("dead", found.dead);
  unexpected("dropped", found.dropped);
  std::uint64_t sum = 0;
  for (const auto& [name, text] : promises_checked()) {
    const auto count = std::exchange(counts[name], 0);
    to.outcome.checks.push_back({name, count == 0, count, text});
    sum += count;
  }
  for (const auto& [name, count] : counts)
    if (count > 0) {
      to.outcome.checks.push_back({name, false, count, "a rule that holds at every moment"});
      sum += count;
    }
  to.outcome.ok = sum == 0 && to.outcome.unchecked.empty();
  const auto accepted = std::to_string(found.published - found.refused);
  to.outcome.text = to.outcome.ok ? "All promises were kept: " + accepted + " events accepted, " +
                                        std::to_string(found.handled) + " handled."
                    : sum == 0
                        ? "No promise was seen broken, but not everything could be checked."
                        : std::to_string(sum) + " violations, in " + accepted + " events accepted.";
}

} // namespace edupulse::simulator
