#include "virtual_report.hpp"
#include "tell.hpp"
#include <algorithm>
#include <cmath>

namespace edupulse::simulator {

namespace {

constexpr double look_every = 0.1; ///< seconds
constexpr double steps = 200;

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

double percentile(std::vector<double>& all, double share) {
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(all.size() - 1));
  std::nth_element(all.begin(), all.begin() + place, all.end());
  return all[static_cast<std::size_t>(place)];
}

} // namespace

void virtual_watch::look(double seconds) {
  next_look_ = seconds + look_every;
  owed_then now{seconds, {}};
  const auto note = [&](const std::string& by, const std::string& who,
                        run_report::member_state what) {
    const auto [at, fresh] = seen_.try_emplace({by, who}, what);
    if (fresh || at->second != what)
      sightings_.push_back({seconds, by, who, what});
    at->second = what;
  };
  for (std::size_t at = 0; at < all_.size(); ++at) {
    const auto name = name_of(at);
    now.by_node.push_back(all_.is_up(at) ? all_.at(at).core().owed() : 0);
    note(name, name,
         all_.is_up(at) ? run_report::member_state::alive : run_report::member_state::down);
    if (!all_.is_up(at))
      continue;
    for (const auto& one : all_.at(at).board().members().members())
      for (std::size_t who = 0; who < all_.size(); ++who)
        if (who != at && all_.is_up(who) && all_.at(who).about().self.node == one.node)
          note(name, name_of(who), state_of(one.state));
  }
  owed_.push_back(std::move(now));
}

run_report virtual_watch::conclude(const simulation::verdict& found, const std::string& unrest,
                                   double seconds, bool interrupted) {
  auto made = report_of(plan_);
  made.mode = run_report::run_mode::virtual_time;
  made.seconds = seconds;
  made.membership = sightings_;
  add_samples(made, seconds);
  add_ledger(made);
  if (interrupted)
    made.outcome.unchecked.push_back("the run was interrupted");
  add_verdict(made, found, interrupted ? std::string() : unrest);
  return made;
}

void virtual_watch::add_samples(run_report& to, double seconds) const {
  const double step = std::max(look_every, seconds / steps);
  const auto count = static_cast<std::size_t>(std::ceil(seconds / step));
  to.samples.resize(count);
  std::vector<std::vector<double>> ages(count);
  for (std::size_t i = 0; i < count; ++i) {
    to.samples[i].at = step * static_cast<double>(i + 1);
    to.samples[i].per_node.resize(plan_.nodes);
  }
  const auto& seen = all_.seen();
  const auto node_of = [&](simulation::start_number start) {
    const auto& name = seen.starts()[start].node;
    for (std::size_t at = 0; at < all_.size(); ++at)
      if (all_.is_up(at) && all_.at(at).name() == name)
        return at;
    return plan_.nodes;
  };
  const auto place = [&](time_point when) {
    const double passed = std::chrono::duration<double>(when - began_).count();
    return passed < 0 ? count : static_cast<std::size_t>(passed / step);
  };
  const auto add = [&](time_point when, simulation::start_number start, bool is_new) {
    const auto at = place(when);
    if (at >= count)
      return;
    auto& sample = to.samples[at];
    (is_new ? sample.all.published : sample.all.handled) += 1 / step;
    if (const auto node = node_of(start); node < plan_.nodes)
      (is_new ? sample.per_node[node].published : sample.per_node[node].handled) += 1 / step;
  };
  for (const auto& one : seen.events())
    if (one.accepted)
      add(one.when, one.by, true);
  for (const auto& one : seen.steps()) {
    if (one.what != simulation::step_kind::handled)
      continue;
    add(one.when, one.where, false);
    if (place(one.when) < count)
      ages[place(one.when)].push_back(
          std::chrono::duration<double, std::micro>(one.when - seen.events()[one.event].when)
              .count());
  }
  for (std::size_t i = 0; i < count; ++i)
    if (!ages[i].empty())
      to.samples[i].latency = run_report::percentiles{
          percentile(ages[i], 0.5), percentile(ages[i], 0.99), percentile(ages[i], 0.999)};
  for (const auto& one : owed_) {
    const auto at = std::min(count, static_cast<std::size_t>(one.at / step));
    if (at == count)
      continue;
    to.samples[at].all.backlog = 0;
    for (std::size_t node = 0; node < one.by_node.size() && node < plan_.nodes; ++node) {
      to.samples[at].per_node[node].backlog = static_cast<double>(one.by_node[node]);
      to.samples[at].all.backlog += static_cast<double>(one.by_node[node]);
    }
  }
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
  to.outcome.text = to.outcome.ok
                        ? "All promises were kept: " + accepted + " events accepted, " +
                              std::to_string(found.handled) + " handled."
                        : std::to_string(sum) + " violations, in " + accepted + " events accepted.";
}

} // namespace edupulse::simulator
