#include "runtime/simulation/judge.hpp"
#include "schemas/topic.hpp"
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace edupulse::simulation {

namespace {

constexpr std::size_t violations_max = 100;

class bench {
public:
  bench(const record& seen, bool at_rest) : seen_(seen), at_rest_(at_rest) {}

  void look_at_calls();
  void look_at_repeats();
  void look_at_order();
  void look_at_ends();
  void look_at_books(const std::vector<book>& books);
  verdict end();

private:
  using call = std::pair<event_number, std::string>; ///< event; subscription or group
  /// By publisher, key and subscriber: events in the order in which they were handled first.
  using lines =
      std::map<std::tuple<start_number, std::uint64_t, std::string>, std::vector<event_number>>;

  bool is_firm(const event_step& what) const;
  void check_order(const lines& all);

  void complain(std::string what) {
    if (result_.violations.size() < violations_max)
      result_.violations.push_back({std::move(what), {}});
  }
  void complain(std::string what, event_number about, std::optional<event_number> too = {}) {
    if (result_.violations.size() == violations_max)
      return;
    auto story = seen_.story(about);
    if (too)
      for (auto& line : seen_.story(*too))
        story.push_back(std::move(line));
    result_.violations.push_back({std::move(what), std::move(story)});
  }
  /// Whose events they share: the group's name, or its own.
  const std::string& sharer(std::uint32_t subscription) const {
    const auto& known = seen_.subscriptions()[subscription];
    return known.group.empty() ? known.name : known.group;
  }
  bool have_parted(const std::string& a, const std::string& b) const {
    return std::any_of(seen_.partings().begin(), seen_.partings().end(), [&](const parting& one) {
      return (one.by == a && one.whom == b) || (one.by == b && one.whom == a);
    });
  }

  const record& seen_;
  const bool at_rest_;
  verdict result_;
  std::map<call, time_point> first_success_;
  std::map<call, std::vector<const event_step*>> ends_; ///< as the publisher says
  std::set<call> letters_;
};

void bench::look_at_calls() {
  for (const auto& one : seen_.steps()) {
    const auto& event = seen_.events()[one.event];
    const auto& subscription = seen_.subscriptions()[one.subscription];
    if (one.what == step_kind::buried)
      letters_.emplace(one.event, sharer(one.subscription));
    if (one.what == step_kind::settled)
      ends_[{one.event, sharer(one.subscription)}].push_back(&one);
    result_.failures += one.what == step_kind::failed;
    if (one.what != step_kind::handled)
      continue;
    ++result_.handled;
    first_success_.try_emplace({one.event, sharer(one.subscription)}, one.when);
    if (!one.is_known)
      complain("phantom: what " + subscription.name + " was given is not what was published",
               one.event);
    if (!event.accepted)
      complain("phantom: " + subscription.name + " was given what `publish` refused", one.event);
    const auto filter = read_filter(subscription.filter);
    if (!filter || !filter->matches(event.topic))
      complain("phantom: " + subscription.name + " does not want " + event.topic, one.event);
  }
}

/// Once for each start of a node, and of a group once, unless somebody was given up or has died.
void bench::look_at_repeats() {
  std::map<std::tuple<event_number, std::uint32_t, start_number>, int> calls;
  std::map<call, std::size_t> shared;
  for (const auto& one : seen_.steps())
    if (one.what == step_kind::handled) {
      ++shared[{one.event, sharer(one.subscription)}];
      if (++calls[{one.event, one.subscription, one.where}] != 2)
        continue;
      const auto& consumer = seen_.starts()[one.where].node;
      const auto& publisher = seen_.starts()[seen_.events()[one.event].by].node;
      const auto is_group = !seen_.subscriptions()[one.subscription].group.empty();
      if (!have_parted(consumer, publisher) && !(is_group && !seen_.partings().empty()))
        complain("duplicated: " + seen_.subscriptions()[one.subscription].name +
                     " succeeded twice with one event",
                 one.event);
    }
  for (const auto& [which, times] : shared)
    result_.repeats += times - 1;
}

/// The first success of each event, per publisher and key, as each start of a subscriber sees it.
void bench::look_at_order() {
  lines of_starts;
  lines of_all;
  std::set<std::pair<event_number, std::string>> counted;
  for (const auto& one : seen_.steps()) {
    const auto& event = seen_.events()[one.event];
    if (one.what != step_kind::handled || event.key == 0)
      continue;
    const auto& name = seen_.subscriptions()[one.subscription].name;
    const auto here = name + " of " + seen_.start_name(one.where) + '/' + std::to_string(one.where);
    // What had an end here is sent again by a publisher that was given up here, and has not
    // noticed.
    const bool may_return =
        have_parted(seen_.starts()[one.where].node, seen_.starts()[event.by].node);
    if (counted.emplace(one.event, here).second && (!may_return || is_firm(one)))
      of_starts[{event.by, event.key, here}].push_back(one.event);
    const auto& all = sharer(one.subscription);
    if (counted.emplace(one.event, all).second && is_firm(one))
      of_all[{event.by, event.key, all}].push_back(one.event);
  }
  check_order(of_starts);
  check_order(of_all);
}

/// No start of the subscriber can have ended it but by handling it, so that the next one does not
/// begin before it; and there is one start at a time.
bool bench::is_firm(const event_step& what) const {
  const auto& event = seen_.events()[what.event];
  const auto& starts = seen_.starts();
  return event.level == delivery_level::acknowledged && !event.expires &&
         !seen_.subscriptions()[what.subscription].drops &&
         !letters_.contains({what.event, sharer(what.subscription)}) &&
         std::none_of(starts.begin() + what.where + 1, starts.end(), [&](const start_known& one) {
           return one.node == starts[what.where].node && one.begin <= what.when;
         });
}

void bench::check_order(const lines& all) {
  for (const auto& [line, events] : all)
    for (std::size_t i = 1; i < events.size(); ++i)
      if (events[i] < events[i - 1])
        complain("reordered: " + std::get<2>(line) + " was given it after event " +
                     to_string(seen_.events()[events[i - 1]].id) +
                     ", which has the same key and was published later",
                 events[i], events[i - 1]);
}

/// What publishers say of their events, and what is so.
void bench::look_at_ends() {
  std::map<event_number, std::size_t> concluded;
  for (const auto& [which, ends] : ends_) {
    const auto& [event, name] = which;
    concluded[event] += ends.size();
    if (ends.size() > 1)
      complain("unbalanced: one event ended twice for " + name, event);
    const auto how = ends.front()->how;
    const auto success = first_success_.find(which);
    if (how == fate::handled &&
        (success == first_success_.end() || success->second > ends.front()->when))
      complain("lost: it counts as handled by " + name + ", which has not handled it", event);
    if (how == fate::dead && !letters_.contains(which))
      complain("lost: it counts as a dead letter of " + name + ", and nobody has that", event);
    result_.dead += how == fate::dead;
    result_.expired += how == fate::expired;
    result_.dropped += how == fate::dropped;
  }
  for (event_number number = 0; number < seen_.events().size(); ++number) {
    const auto& event = seen_.events()[number];
    ++result_.published;
    result_.refused += !event.accepted;
    const auto runs = seen_.starts()[event.by].end == time_point::max();
    if (!at_rest_ || !event.accepted || !runs)
      continue;
    if (event.owed < 0)
      complain("lost: it was accepted, and never reached the router", number);
    else if (concluded[number] != static_cast<std::size_t>(event.owed))
      complain("lost: it was owed to " + std::to_string(event.owed) + ", and ended for " +
                   std::to_string(concluded[number]),
               number);
  }
}

void bench::look_at_books(const std::vector<book>& books) {
  for (const auto& one : books) {
    const auto who = seen_.start_name(one.of);
    if (!one.ledger.balances())
      complain("unbalanced: the ledger of " + who);
    ledger_line sum;
    for (const auto& line : one.ledger.lines)
      if (!line.received) {
        sum += line;
        sum.pending += line.pending;
      }
    if (at_rest_ && sum.pending != 0)
      complain("unbalanced: the ledger of " + who + " has " + std::to_string(sum.pending) +
               " pending");
    std::size_t ends[4]{};
    for (const auto& step : seen_.steps())
      if (step.what == step_kind::settled && step.where == one.of)
        ++ends[static_cast<std::size_t>(step.how)];
    const std::pair<fate, std::uint64_t> told[] = {
        {fate::handled, sum.handled},
        {fate::dead, sum.dead},
        {fate::expired, sum.expired},
        {fate::dropped, sum.dropped_in_all() - sum.dropped_for(drop_reason::reassigned)}};
    for (const auto& [how, count] : told)
      if (ends[static_cast<std::size_t>(how)] != count)
        complain("unbalanced: the ledger of " + who + " says " + std::to_string(count) + ' ' +
                 std::string(to_string(how)) + ", and " +
                 std::to_string(ends[static_cast<std::size_t>(how)]) + " were seen");
  }
}

verdict bench::end() {
  for (const auto& what : seen_.rules_broken())
    complain(what);
  return std::move(result_);
}

} // namespace

std::string verdict::text() const {
  std::string all;
  for (const auto& one : violations) {
    all += one.what + '\n';
    for (const auto& line : one.story)
      all += "    " + line + '\n';
  }
  return all;
}

verdict judge(const record& seen, const std::vector<book>& books, bool at_rest) {
  bench one(seen, at_rest);
  one.look_at_calls();
  one.look_at_repeats();
  one.look_at_order();
  one.look_at_ends();
  one.look_at_books(books);
  return one.end();
}

} // namespace edupulse::simulation
