#include "cluster.hpp"
#include "clock.hpp"
#include "plugins.hpp"
#include "units.hpp"
#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sstream>

namespace edupulse::simulator {

using namespace std::chrono_literals;

namespace {

constexpr auto start_patience = 20s;

run_report::member_state state_after(const std::string& news) {
  if (news == "suspect")
    return run_report::member_state::suspect;
  if (news == "dead")
    return run_report::member_state::dead;
  return news == "left" ? run_report::member_state::left : run_report::member_state::alive;
}

} // namespace

process_cluster::process_cluster(const plan& what, std::filesystem::path place,
                                 std::vector<std::string> arguments, const interrupt& stop)
    : plan_(what), place_(std::move(place)), arguments_(std::move(arguments)), stop_(stop),
      nodes_(what.nodes) {
  starts_.reserve(4096); // nodes keep their places in it
  for (auto& one : nodes_)
    one.expected_up = true;
  for (const auto& one : plan_.faults)
    if (one.what == fault_word::late)
      for (const auto node : one.nodes)
        nodes_[node].expected_up = false;
}

double process_cluster::seconds() const {
  return began_ns_ == 0 ? 0 : static_cast<double>(search::now_ns() - began_ns_) / 1e9;
}

std::uint64_t process_cluster::share_of(std::size_t publisher) const {
  return plan_.events / plan_.publishers + (publisher < plan_.events % plan_.publishers);
}

// -- processes --------------------------------------------------------------------------------

std::filesystem::path process_cluster::journal_of(const node_start& which) const {
  return place_ / (name_of(which.node) + "." + std::to_string(which.number));
}

/// Begins a process and its node; it says `up` later.
expected<void> process_cluster::launch(std::size_t which) {
  auto& one = nodes_[which];
  const auto number = static_cast<std::uint32_t>(starts_.size());
  const auto name = name_of(which);
  node_start begun;
  begun.number = number;
  begun.node = which;
  begun.begin_ns = search::now_ns();
  auto arguments = arguments_;
  const auto add = [&](const char* option, const std::string& value) {
    arguments.emplace_back(option);
    arguments.push_back(value);
  };
  add("--node-role", std::to_string(which));
  add("--node-start", std::to_string(number));
  add("--node-place", place_);
  add("--node-journal", journal_of(begun));
  add("--node-records", std::to_string(records_needed(plan_, which)));
  if (!one.address.empty())
    add("--node-listen", one.address);
  for (const auto& other : nodes_)
    if (&other != &one && !other.address.empty())
      add("--node-join", other.address);
  auto started = child_process::start(name, std::move(arguments), journal_of(begun).concat(".err"));
  if (!started)
    return tl::unexpected(started.error());
  one.process = std::move(*started);
  one.expected_up = true;
  one.leaving = false;
  one.seen = {};
  one.start = starts_.size();
  starts_.push_back(std::move(begun));
  tell_lines(which);
  one.process->tell("begin");
  return {};
}

expected<std::string> process_cluster::await(std::size_t which,
                                             std::initializer_list<std::string_view> words,
                                             duration patience) {
  auto& one = nodes_[which];
  const auto until = search::now() + patience;
  for (;;) {
    std::string line;
    while (one.process && one.process->take_line(line)) {
      heard(which, line);
      for (const auto word : words)
        if (line == word || line.starts_with(std::string(word) + " "))
          return line;
    }
    if (stop_.happened())
      return fail(errc::stopping, "interrupted");
    if (!one.process || one.process->has_ended())
      return tl::unexpected(one.process ? one.process->how_it_ended()
                                        : error{errc::io, name_of(which) + " is not there"});
    if (search::now() >= until)
      return fail(errc::timed_out, name_of(which) + " does not answer");
    pollfd either[2] = {{one.process->fd(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
    ::poll(either, 2, 100);
  }
}

std::size_t process_cluster::subscriptions(std::string_view topic) const {
  std::set<std::string> groups;
  std::size_t count = 0;
  const auto wanted = interests(plan_).in(topic);
  for (std::size_t handler = 0; handler < plan_.handlers.size(); ++handler) {
    const auto& one = plan_.handlers[handler];
    if (!is_wanted(wanted, handler))
      continue;
    if (!one.group.empty()) {
      groups.insert(one.group);
      continue;
    }
    for (std::size_t at = 0; at < nodes_.size(); ++at)
      count += nodes_[at].expected_up && one.runs_on(at);
  }
  return count + groups.size();
}

/// To know who takes what is published.
std::string process_cluster::ready_for_all(std::size_t seconds) const {
  auto text = "ready " + std::to_string(seconds);
  for (const auto& topic : topics_of(plan_))
    text += " " + topic + " " + std::to_string(subscriptions(topic));
  return text;
}

expected<void> process_cluster::start_all() {
  for (std::size_t which = 0; which < nodes_.size(); ++which) {
    if (!nodes_[which].expected_up)
      continue;
    if (auto good = launch(which); !good)
      return good;
    if (which > 0)
      continue;
    if (auto up = await(which, {"up", "failed"}, start_patience); !up)
      return tl::unexpected(up.error());
    else if (!up->starts_with("up"))
      return fail(errc::io, name_of(which) + ": " + *up);
  }
  for (std::size_t which = 1; which < nodes_.size(); ++which) {
    if (!nodes_[which].expected_up || nodes_[which].seen.up)
      continue;
    if (auto up = await(which, {"up", "failed"}, start_patience); !up)
      return tl::unexpected(up.error());
    else if (!up->starts_with("up"))
      return fail(errc::io, name_of(which) + ": " + *up);
  }
  for (std::size_t which = 0; which < nodes_.size(); ++which) {
    // What a plugin publishes comes from any node.
    if (!nodes_[which].expected_up || (!publishes(which) && plan_.plugins.empty()))
      continue;
    nodes_[which].process->tell(ready_for_all(30));
    if (auto met = await(which, {"ready", "unready"}, 40s); !met)
      return tl::unexpected(met.error());
    else if (*met != "ready")
      return fail(errc::timed_out, name_of(which) + ": " + *met);
  }
  set_lines(); // the addresses are known now
  return {};
}

void process_cluster::go() {
  began_ns_ = search::now_ns();
  for (std::size_t which = 0; which < plan_.publishers; ++which)
    publish_rest(which);
}

/// What the starts before this one have not published.
void process_cluster::publish_rest(std::size_t which) {
  auto& one = nodes_[which];
  const auto left = share_of(which) - std::min(share_of(which), one.published);
  one.publishes = true;
  one.process->tell("publish " + std::to_string(one.published) + " " + std::to_string(left) + " " +
                    std::to_string(plan_.rate / static_cast<double>(plan_.publishers)));
}

void process_cluster::kill(std::size_t which) {
  auto& one = nodes_[which];
  one.up_again_at.reset();
  one.expected_up = false;
  if (!one.process)
    return;
  starts_[one.start].killed = true;
  one.process->kill();
  ended(which);
}

void process_cluster::launch_again(std::size_t which) {
  if (nodes_[which].process) {
    nodes_[which].start_again = true; // it is on its way out
    return;
  }
  if (const auto good = launch(which); !good)
    troubles_.push_back(name_of(which) + " cannot be started: " + good.error().text);
}

/// Its process is gone, whoever ended it.
void process_cluster::ended(std::size_t which) {
  auto& one = nodes_[which];
  auto& start = starts_[one.start];
  std::string line;
  while (one.process->take_line(line))
    heard(which, line);
  start.end_ns = search::now_ns();
  if (one.expected_up && !one.leaving) {
    start.killed = true;
    crashed(which);
  }
  one.process.reset();
  one.seen = {};
  if (!start.journal.is_open()) // it died before it said that it was up, and has handled events
    start.journal = journal_reader(journal_of(start));
  start.journal.writer_ended();
  std::uint64_t last = 0;
  for (const auto& each : start.journal.all())
    if (each.kind != record_kind::nothing && each.source == 0)
      last = std::max(last, each.number);
  one.published += last;
  if (std::exchange(one.start_again, false))
    launch_again(which);
}

// -- what the nodes say -------------------------------------------------------------------------

void process_cluster::hear(duration patience) {
  launch_crashed();
  std::vector<pollfd> all;
  if (!stop_.happened()) // after that it would not wait for anything else
    all.push_back({stop_.fd(), POLLIN, 0});
  for (auto& one : nodes_)
    if (one.process)
      all.push_back({one.process->fd(), POLLIN, 0});
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  ::poll(all.data(), static_cast<nfds_t>(all.size()), static_cast<int>(wait));
  for (std::size_t which = 0; which < nodes_.size(); ++which) {
    std::string line;
    while (nodes_[which].process && nodes_[which].process->take_line(line))
      heard(which, line);
    if (nodes_[which].process && nodes_[which].process->has_ended())
      ended(which);
  }
}

void process_cluster::heard(std::size_t which, const std::string& line) {
  auto& one = nodes_[which];
  auto& start = starts_[one.start];
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  std::string rest;
  std::getline(words >> std::ws, rest);
  if (verb == "up") {
    one.seen.up = true;
    one.address = rest.substr(0, rest.find(' '));
    start.journal = journal_reader(journal_of(start));
    set_lines();
    if (began_ns_ != 0 && publishes(which)) {
      one.publishes = true;
      one.process->tell(ready_for_all(20));
    }
  } else if (verb == "work") {
    auto& said = one.seen.work;
    std::istringstream(rest) >> said.at_ns >> said.published >> said.owed;
  } else if (verb == "views") {
    one.seen.sees.clear();
    std::istringstream each(rest);
    for (std::string view; each >> view;)
      one.seen.sees[view.substr(0, view.find('='))] = view.substr(view.find('=') + 1);
  } else if (verb == "member") {
    std::string what;
    std::string who;
    sighting seen;
    std::istringstream(rest) >> what >> who >> seen.at_ns;
    seen.by = which;
    seen.who = static_cast<std::size_t>(std::stoul(who.substr(1)) - 1);
    seen.state = state_after(what);
    sightings_.push_back(seen);
  } else if (verb == "done") {
    one.publishes = false;
  } else if (verb == "row") {
    heard_row(which, rest);
  } else if (verb == "letter") {
    const auto end = rest.find(' ');
    one.saying.letters.emplace_back(rest.substr(0, end),
                                    rest.substr(std::min(end + 1, rest.size())));
  } else if (verb == "balanced" || verb == "unbalanced") {
    one.saying.balanced = verb == "balanced";
  } else if (verb == "end") {
    start.said = std::exchange(one.saying, {});
  } else if (verb == "skipped" || verb == "crash") {
    notes_.push_back(name_of(which) + ": " + rest);
  } else if (verb == "trouble" || verb == "failed") {
    troubles_.push_back(name_of(which) + ": " + rest);
  } else if ((verb == "ready" || verb == "unready") && began_ns_ != 0) {
    publish_rest(which); // of a publisher that was started again
  }
}

void process_cluster::heard_row(std::size_t which, const std::string& rest) {
  run_report::ledger_row row;
  std::istringstream words(rest);
  words >> row.topic >> row.subscription >> row.published >> row.handled >> row.dead >>
      row.expired >> row.pending;
  for (std::string why; words >> why;)
    row.dropped[why.substr(0, why.find('='))] = std::stoull(why.substr(why.find('=') + 1));
  nodes_[which].saying.rows.push_back(std::move(row));
}

bool process_cluster::has_published() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const slot& one) {
    return one.expected_up ? one.seen.up && !one.publishes && !one.leaving : true;
  });
}

bool process_cluster::is_whole() const {
  if (std::any_of(nodes_.begin(), nodes_.end(),
                  [](const slot& one) { return one.up_again_at.has_value(); }))
    return false;
  for (std::size_t by = 0; by < nodes_.size(); ++by)
    for (std::size_t who = 0; who < nodes_.size(); ++who) {
      if (by == who || !nodes_[by].seen.up || !nodes_[who].seen.up)
        continue;
      const auto seen = nodes_[by].seen.sees.find(name_of(who));
      if (seen == nodes_[by].seen.sees.end() || seen->second != "alive")
        return false;
    }
  return true;
}

// -- the end ------------------------------------------------------------------------------------

expected<void> process_cluster::drain(duration patience) {
  const auto seconds = std::to_string(std::chrono::ceil<std::chrono::seconds>(patience).count());
  std::string left;
  for (std::size_t which = 0; which < plan_.publishers; ++which)
    if (nodes_[which].process)
      nodes_[which].process->tell("drain " + seconds);
  for (std::size_t which = 0; which < plan_.publishers; ++which) {
    if (!nodes_[which].process)
      continue;
    const auto said = await(which, {"drained", "undrained"}, patience + 5s);
    if (!said)
      return tl::unexpected(said.error());
    if (*said != "drained")
      left += (left.empty() ? "" : "; ") + name_of(which) + ": " + said->substr(10);
  }
  return left.empty() ? expected<void>() : fail(errc::timed_out, left);
}

void process_cluster::finish(duration patience) {
  for (auto& one : nodes_)
    if (one.process) {
      one.leaving = true;
      one.process->tell("stop 1");
    }
  const auto until = search::now() + patience;
  const auto runs = [&] {
    return std::any_of(nodes_.begin(), nodes_.end(),
                       [](const slot& one) { return one.process != nullptr; });
  };
  while (runs() && search::now() < until)
    hear(50ms);
  kill_all();
}

void process_cluster::kill_all() {
  for (std::size_t which = 0; which < nodes_.size(); ++which)
    kill(which);
}

} // namespace edupulse::simulator
