#include "judge.hpp"
#include "absences.hpp"
#include "event_index.hpp"
#include "tell.hpp"
#include "units.hpp"
#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>

namespace edupulse::simulator {

namespace {

constexpr std::size_t violations_shown = 50;
constexpr std::size_t story_lines = 60;
constexpr std::size_t pairs_noted = 3;
constexpr std::int64_t news_within = 5 * second_ns;

class judgement {
public:
  judgement(const evidence& seen, run_report& into)
      : seen_(seen), into_(into), events_(seen.what, seen.starts) {
    for (const auto& one : seen.starts)
      nobody_went_ = nobody_went_ && !one.killed;
    for (const auto& one : seen.sightings)
      nobody_went_ = nobody_went_ && one.state == run_report::member_state::alive;
  }

  void run() {
    for (const auto& one : seen_.troubles)
      complain("trouble", one, {});
    if (!seen_.whole)
      complain("membership", "at the end not every node saw every other one alive", {});
    phantoms();
    for (const auto& one : units_of(seen_.what))
      judge_unit(one);
    judge_books();
    note();
    conclude();
  }

private:
  double seconds(std::int64_t at) const {
    return static_cast<double>(at - seen_.began_ns) / static_cast<double>(second_ns);
  }
  std::string line(std::int64_t at, const std::string& text) const {
    char time[32];
    std::snprintf(time, sizeof time, "%8.3f  ", seconds(at));
    return time + text;
  }

  void complain(const std::string& kind, const std::string& text, const event* about,
                std::uint64_t count = 1) {
    counts_[kind] += count;
    if (into_.outcome.violations.size() < violations_shown)
      into_.outcome.violations.push_back(
          {kind + ": " + text, about == nullptr ? std::vector<std::string>() : story(*about)});
  }

  void phantoms();
  void judge_unit(const unit& which);
  void judge_handlings(const unit& which, const std::vector<handling>& all);
  void judge_start(const unit& which, const node_start& from, const std::vector<bool>& handled);
  void judge_killed(const unit& which, const node_start& from, const std::vector<bool>& handled,
                    const absences& absent);
  bool is_early(const event& what) const;
  void judge_gaps(const unit& which, const std::vector<handling>& all);
  void judge_books();
  void note();
  std::vector<std::string> story(const event& what) const;
  void conclude();

  const evidence& seen_;
  run_report& into_;
  event_index events_;
  std::map<std::string, std::uint64_t> counts_;
  std::set<std::string> with_holes_; ///< "indexer@n2 of n1": n1 was killed, and holes are allowed
  bool nobody_went_ = true;          ///< no node was killed, missed, or left
};

void judgement::phantoms() {
  for (const auto& one : events_.strangers())
    complain("phantom", one.why, one.about);
}

void judgement::judge_unit(const unit& which) {
  const auto all = events_.handlings(which.handler, which.nodes);
  judge_handlings(which, all);
  std::vector<bool> handled(events_.size());
  for (const auto& one : all)
    handled[one.event] = true;
  for (const auto& start : seen_.starts)
    if (events_.of(start.number).second > 0)
      judge_start(which, start, handled);
  judge_gaps(which, all);
}

/// A plugin that was started again may publish before its node knows again who takes what.
bool judgement::is_early(const event& what) const {
  const auto begin = seen_.starts[what.start].begin_ns;
  return what.source != 0 && begin > seen_.began_ns && what.at_ns < begin + news_within;
}

/// Repeats and order.
void judgement::judge_handlings(const unit& which, const std::vector<handling>& all) {
  std::set<std::pair<std::uint32_t, std::size_t>> by_start;
  std::vector<bool> before(events_.size());
  // Of a key of what one source of a start publishes.
  std::map<std::tuple<std::uint32_t, std::uint64_t, std::uint64_t>, std::uint64_t> newest;
  for (const auto& one : all) {
    const auto& about = events_[one.event];
    if (!by_start.emplace(one.start, one.event).second)
      complain("duplicated", which.name + " handled " + events_.name(about) + " twice in one start",
               &about);
    if (before[one.event]) {
      if (which.is_group && nobody_went_)
        complain("duplicated",
                 which.name + " handled " + events_.name(about) +
                     " in two members, though no node was ever missed",
                 &about);
      continue;
    }
    before[one.event] = true;
    auto& last = newest[{about.start, about.source, about.key}];
    if (about.number < last)
      complain("reordered",
               which.name + " handled " + events_.name(about) + " after event " +
                   std::to_string(last) + " of the same key",
               &about);
    last = std::max(last, about.number);
  }
}

void judgement::judge_start(const unit& which, const node_start& from,
                            const std::vector<bool>& handled) {
  const absences absent(seen_, which.nodes, from.node, which.of_plugin);
  if (from.killed)
    return judge_killed(which, from, handled, absent);
  if (!from.said) {
    into_.outcome.unchecked.push_back("the ledger of " + name_of(from.node) + " (start " +
                                      std::to_string(from.number) + ") is not known: what " +
                                      which.name + " was owed by it was not checked");
    return;
  }
  const auto [first, count] = events_.of(from.number);
  const event* example = nullptr;
  std::uint64_t accepted = 0;
  std::uint64_t excused = 0;
  std::uint64_t missing = 0;
  for (auto at = first; at < first + count; ++at) {
    if (!events_[at].is_accepted || !is_wanted(events_[at].wanted, which.handler))
      continue;
    ++accepted;
    const bool unowed = absent.all_at(events_[at].at_ns) || is_early(events_[at]);
    excused += unowed;
    if (handled[at] || unowed)
      continue;
    ++missing;
    example = example == nullptr ? &events_[at] : example;
  }
  const auto book = account_of(seen_.what, which, from);
  if (missing > book.ended_otherwise())
    complain("lost",
             which.name + " never handled " + std::to_string(missing) + " events of " +
                 name_of(from.node) + ", of which its ledger explains " +
                 std::to_string(book.ended_otherwise()),
             example, missing - book.ended_otherwise());
  if (accepted > book.published && accepted <= book.published + excused)
    into_.not_owed.push_back({which.name, name_of(from.node), accepted - book.published});
  if (accepted > book.published + excused)
    complain("lost",
             std::to_string(accepted - book.published - excused) + " events of " +
                 name_of(from.node) + " were not owed to " + which.name + ", though it was there",
             nullptr, accepted - book.published - excused);
}

/// What was accepted and had not left yet died with it: an end may be missing, and no middle.
void judgement::judge_killed(const unit& which, const node_start& from,
                             const std::vector<bool>& handled, const absences& absent) {
  if (!seen_.what.allows.empty() || which.is_group) {
    with_holes_.insert(which.name + " of " + name_of(from.node));
    return;
  }
  if (which.nodes.front() == from.node)
    return; // it died with its publisher
  const auto [first, count] = events_.of(from.number);
  std::uint64_t holes = 0;
  const event* example = nullptr;
  std::set<std::uint64_t> later; // sources of which something later was handled
  for (auto at = first + count; at-- > first;) {
    const auto& one = events_[at];
    if (handled[at])
      later.insert(one.source);
    else if (later.contains(one.source) && one.is_accepted &&
             is_wanted(one.wanted, which.handler) && !absent.all_at(one.at_ns) && !is_early(one)) {
      ++holes;
      example = &one;
    }
  }
  if (holes > 0)
    complain("lost",
             which.name + " handled later events of " + name_of(from.node) + ", and " +
                 std::to_string(holes) + " earlier ones never",
             example, holes);
}

void judgement::judge_gaps(const unit& which, const std::vector<handling>& all) {
  if (which.is_group)
    return;
  std::uint64_t dropped = 0;
  for (const auto& start : seen_.starts)
    if (start.said)
      dropped += account_of(seen_.what, which, start).dropped;
  std::uint64_t told = 0;
  for (const auto& one : all)
    told += one.gap;
  if (told > dropped && seen_.troubles.empty())
    complain("gap",
             which.name + " was told of " + std::to_string(told) +
                 " missed events, and the ledgers dropped " + std::to_string(dropped),
             nullptr);
  if (told == 0 && dropped > 0 && !all.empty())
    complain("gap",
             which.name + " missed " + std::to_string(dropped) +
                 " events, and was told of "
                 "none",
             nullptr);
}

void judgement::judge_books() {
  std::map<std::pair<std::string, std::string>, run_report::ledger_row> sums;
  std::map<std::pair<std::string, std::string>, std::uint64_t> letters;
  std::set<std::string> running;
  for (const auto& start : seen_.starts)
    if (!start.killed)
      running.insert(name_of(start.node));
  for (const auto& start : seen_.starts) {
    if (!start.said)
      continue;
    if (!start.said->balanced)
      complain("unbalanced", "the ledger of " + name_of(start.node) + " does not add up", nullptr);
    for (const auto& row : start.said->rows) {
      auto& sum = sums[{row.topic, row.subscription}];
      sum.topic = row.topic;
      sum.subscription = row.subscription;
      sum.published += row.published;
      sum.handled += row.handled;
      sum.dead += row.dead;
      sum.expired += row.expired;
      sum.pending += row.pending;
      for (const auto& [why, count] : row.dropped)
        sum.dropped[why] += count;
    }
    for (const auto& [who, why] : start.said->letters)
      ++letters[{who, why}];
  }
  for (auto& [key, row] : sums) {
    const auto at = row.subscription.rfind('@');
    const bool is_there = running.contains(row.subscription.substr(at + 1));
    if (row.pending > 0 && is_there)
      complain("unbalanced",
               row.subscription + " is still owed " + std::to_string(row.pending) + " events",
               nullptr);
    if (row.dead > 0 && !seen_.what.may("dead"))
      complain("dead", row.subscription + " gave up on " + std::to_string(row.dead) + " events",
               nullptr, row.dead);
    for (const auto& [why, count] : row.dropped)
      if (why != "reassigned" && !seen_.what.may("dropped"))
        complain("dropped",
                 row.subscription + " missed " + std::to_string(count) + " events: " + why, nullptr,
                 count);
    into_.ledger.push_back(std::move(row));
  }
  for (const auto& [what, count] : letters)
    into_.dead_letters.push_back({what.first, what.second, count});
}

// -- telling --------------------------------------------------------------------------------

/// With many nodes there are thousands of pairs: what they come to, and the first of them.
std::string first_of(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), pairs_noted); ++i)
    text += (i == 0 ? "" : ", ") + all[i];
  return all.size() <= pairs_noted
             ? text
             : text + " and " + std::to_string(all.size() - pairs_noted) + " more";
}

void judgement::note() {
  if (events_.of_plugins() > 0)
    into_.notes.push_back(std::to_string(events_.of_plugins()) +
                          " of the events were published by plugins");
  auto& pairs = into_.not_owed;
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  std::uint64_t sum = 0;
  std::vector<std::string> texts;
  for (const auto& one : pairs) {
    sum += one.count;
    texts.push_back(std::to_string(one.count) + " of " + one.publisher + " to " + one.subscription);
  }
  if (!pairs.empty())
    into_.notes.push_back(std::to_string(sum) +
                          " events were not owed to who was believed dead, or away, when they were "
                          "published: " +
                          first_of(texts));
  if (!with_holes_.empty())
    into_.notes.push_back("of what was published by who was killed then, order and repeats were "
                          "checked, and not holes: " +
                          first_of({with_holes_.begin(), with_holes_.end()}));
}

std::vector<std::string> judgement::story(const event& what) const {
  std::vector<std::pair<std::int64_t, std::string>> lines;
  lines.emplace_back(what.at_ns,
                     name_of(seen_.starts[what.start].node) +
                         (what.source == 0 ? "" : " " + seen_.what.handlers[what.handler].name) +
                         " published it as event " + std::to_string(what.number) + " of start " +
                         std::to_string(what.start) +
                         (what.is_accepted ? "" : "; whether it was accepted is not known"));
  for (const auto& one : events_.records_of(what))
    lines.emplace_back(
        one.at_ns,
        name_of(seen_.starts[one.start].node) + " " + seen_.what.handlers[one.handler].name +
            (one.kind == record_kind::handled ? " handled it" : " failed at it") + ", attempt " +
            std::to_string(one.attempt) + ", start " + std::to_string(one.start));
  const auto from = what.at_ns - 2 * second_ns;
  for (const auto& start : seen_.starts) {
    if (start.begin_ns > from)
      lines.emplace_back(start.begin_ns, name_of(start.node) + " is started, as start " +
                                             std::to_string(start.number));
    if (start.end_ns && *start.end_ns > from)
      lines.emplace_back(*start.end_ns,
                         name_of(start.node) + (start.killed ? " is killed" : " has ended"));
  }
  for (const auto& one : seen_.sightings)
    if (one.at_ns > from)
      lines.emplace_back(one.at_ns, name_of(one.by) + " believes " + name_of(one.who) + " " +
                                        to_string(one.state));
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> told;
  for (const auto& [at, text] : lines) {
    if (told.size() == story_lines) {
      told.push_back("... and " + std::to_string(lines.size() - story_lines) + " lines more");
      break;
    }
    told.push_back(line(at, text));
  }
  return told;
}

void judgement::conclude() {
  auto& outcome = into_.outcome;
  std::uint64_t sum = 0;
  for (const auto& [name, text] : promises_checked()) {
    const auto count = counts_[name];
    sum += count;
    outcome.checks.push_back({name, count == 0, count, text});
  }
  outcome.ok = sum == 0 && outcome.unchecked.empty();
  const auto handled = std::to_string(events_.handled());
  if (outcome.ok)
    outcome.text = "All promises were kept: " + std::to_string(events_.accepted()) +
                   " events accepted, " + handled + " handled.";
  else if (sum == 0)
    outcome.text = "No promise was seen broken, but not everything could be checked.";
  else
    outcome.text = std::to_string(sum) + " violations, in " + std::to_string(events_.accepted()) +
                   " events accepted and " + handled + " handled.";
}

} // namespace

void judge(const evidence& seen, run_report& into) { judgement(seen, into).run(); }

} // namespace edupulse::simulator
