#pragma once
// A cluster in one thread and virtual time: the routers of real nodes, their frames as bytes, and
// handlers that take a while, answer this and that, and remember what they saw. Faults are words:
// kill, give up, restart, cut, heal. One seed, one run.

#include "actors/backoff.hpp"
#include "actors/router.hpp"
#include "actors/runner.hpp"
#include "tests/support/events.hpp"
#include "tests/support/in_flight.hpp"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace edupulse::test {

class sim_cluster {
public:
  struct settings {
    std::uint64_t seed = 1;
    std::size_t nodes = 3;
    double work_chance = 0.5;   ///< that a handler works on its batch, at each step
    double retry_chance = 0.02; ///< that it answers an event with retry, or crashes at it
    double break_chance = 0.01; ///< that a connection breaks, at each step
    duration delay_max = std::chrono::milliseconds(3);
    duration unreachable_after = std::chrono::seconds(60);
  };
  /// Two to five nodes, and trouble of any size.
  static settings random_trouble(random_source& chance) {
    settings how;
    how.nodes = 2 + chance.next() % 4;
    how.seed = chance.next();
    how.work_chance = 0.05 + 0.9 * chance.unit();
    how.retry_chance = 0.05 * chance.unit();
    how.break_chance = 0.02 * chance.unit();
    how.delay_max = duration(1 + chance.next() % 6'000'000);
    return how;
  }
  explicit sim_cluster(settings how) : how_(how), chance_(how.seed) {
    for (std::size_t i = 0; i < how.nodes; ++i) {
      nodes_.push_back(std::make_unique<node>());
      start(i);
    }
  }

  // -- use ------------------------------------------------------------------------------
  void subscribe(std::size_t at, const std::string& name, const std::string& filter,
                 subscription_options options = {}) {
    auto& one = *nodes_[at];
    one.wanted[name] = {filter, options};
    subscribe_now(one, name);
  }
  void unsubscribe(std::size_t at, const std::string& name) {
    auto& one = *nodes_[at];
    static_cast<void>(one.core->unsubscribe(one.core->find(name).value(), now_, one.asked));
    one.wanted.erase(name);
    carry_out(at);
  }
  /// Returns the event's id.
  std::string publish(std::size_t at, const std::string& subject, const std::string& key) {
    auto& one = *nodes_[at];
    auto event = make_event({.subject = subject, .key = key, .publisher = id_of(at)});
    const auto id = to_string(event->id());
    auto events = std::make_shared<chunk>();
    events->entries.push_back(make_entry(std::move(event)));
    one.core->on_events(events, now_, one.asked);
    carry_out(at);
    return id;
  }

  // -- faults ---------------------------------------------------------------------------
  void kill(std::size_t at) {
    for (std::size_t other = 0; other < nodes_.size(); ++other)
      if (other != at)
        cut(at, other);
    nodes_[at]->core.reset();
    nodes_[at]->pending.clear();
    nodes_[at]->lives.clear();
    nodes_[at]->asked.clear();
  }
  /// The others no longer expect a node that was killed: what it was owed is not kept for it.
  void give_up(std::size_t at) {
    for (std::size_t other = 0; other < nodes_.size(); ++other) {
      auto& one = *nodes_[other];
      const auto known = one.peers.find(at);
      if (!is_up(other) || known == one.peers.end())
        continue;
      one.core->remove_peer(known->second, drop_reason::unsubscribed, now_, one.asked);
      one.peers.erase(known);
      one.peer_epochs.erase(at);
      carry_out(other);
    }
  }
  void restart(std::size_t at) {
    start(at);
    for (const auto& [name, what] : nodes_[at]->wanted)
      subscribe_now(*nodes_[at], name);
    carry_out(at);
  }
  /// Node `at` believes that `other` is dead, or has been told that it left.
  void believe_dead(std::size_t at, std::size_t other) {
    auto& one = *nodes_[at];
    if (one.core && one.peers.contains(other))
      one.core->on_peer_dead(one.peers.at(other), now_, one.asked);
    carry_out(at);
  }
  expected<void> redrive(std::size_t at, const dead_letter& letter) {
    auto& one = *nodes_[at];
    auto good = one.core->redrive(letter, now_, one.asked);
    carry_out(at);
    return good;
  }
  bool is_up(std::size_t at) const { return nodes_[at]->core != nullptr; }
  void partition(std::set<std::size_t> side) {
    side_ = std::move(side);
    for (std::size_t a = 0; a < nodes_.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (separated(a, b))
          cut(a, b);
  }
  void heal() { side_.clear(); }
  void be_kind() { how_.break_chance = how_.retry_chance = 0; }
  /// No more trouble, and everybody is up.
  void mend() {
    heal();
    be_kind();
    for (std::size_t at = 0; at < nodes_.size(); ++at)
      if (!is_up(at))
        restart(at);
  }
  std::size_t size() const noexcept { return nodes_.size(); }

  // -- time -----------------------------------------------------------------------------
  /// One millisecond.
  void step() {
    now_ += std::chrono::milliseconds(1);
    for (std::size_t a = 0; a < nodes_.size(); ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (connected(a, b) ? chance_.unit() < how_.break_chance : false)
          cut(a, b);
        else if (!connected(a, b) && is_up(a) && is_up(b) && !separated(a, b) &&
                 chance_.unit() < 0.1)
          connect(a, b);
    arrive();
    for (std::size_t at = 0; at < nodes_.size(); ++at) {
      if (!is_up(at))
        continue;
      work(at);
      if (const auto due = nodes_[at]->core->next_deadline(); due && *due <= now_)
        nodes_[at]->core->on_wake(now_, nodes_[at]->asked);
      carry_out(at);
      nodes_[at]->core->check();
    }
  }
  template <class F> bool steps_until(F done, int most) {
    for (int i = 0; i < most && !done(); ++i)
      step();
    return done();
  }
  std::size_t owed() const {
    std::size_t sum = 0;
    for (const auto& one : nodes_)
      sum += one->core ? one->core->owed() : 0;
    return sum;
  }

  // -- looking --------------------------------------------------------------------------
  /// What a node makes of the ledgers of all, when it waits for so many steps.
  cluster_ledger ledgers(std::size_t at, int steps = 1000) {
    auto& one = *nodes_[at];
    const auto query = next_query_++;
    const auto deadline = now_ + std::chrono::milliseconds(steps);
    if (!one.core->ask_ledgers(query, deadline, now_, one.asked))
      complain("a question was refused");
    carry_out(at);
    steps_until([&] { return one.ledgers.contains(query); }, steps + 1);
    return one.ledgers.at(query);
  }
  router& core(std::size_t at) { return *nodes_[at]->core; }
  /// Successful calls, in order, over all starts of the node: event ids.
  const std::vector<std::string>& handled(std::size_t at, const std::string& name) {
    return nodes_[at]->handled[name];
  }
  /// The same of its present start alone.
  const std::vector<std::string>& handled_now(std::size_t at, const std::string& name) {
    return nodes_[at]->handled_now[name];
  }
  /// The same of all handlers of the cluster together.
  const std::vector<std::string>& handled_anywhere() const { return handled_anywhere_; }
  bool has(std::size_t at, const std::string& name) const {
    return nodes_[at]->wanted.contains(name);
  }
  /// In the dead letters of that node, over all its starts.
  std::vector<dead_letter>& letters(std::size_t at) { return nodes_[at]->letters; }
  /// Redriven letters of that node that have left its store.
  std::vector<std::uint64_t> redriven(std::size_t at) { return nodes_[at]->redriven; }
  std::string complaint; ///< the first cut that a node asked for
  int cuts = 0;
  static node_id id_of(std::size_t at) { return make_node_id(77, at + 1); }

private:
  struct wanted_subscription {
    std::string filter;
    subscription_options options;
  };
  struct life {
    std::uint32_t generation;
    std::unique_ptr<runner> self;
  };
  struct node {
    std::unique_ptr<router> core;
    std::map<std::pair<std::uint32_t, std::uint32_t>, life> lives;
    std::uint64_t epoch = 0;
    effect_list asked;
    std::map<std::size_t, std::uint32_t> peers; ///< by the place of the other node
    std::map<std::size_t, std::uint64_t> peer_epochs;
    std::deque<batch_ptr> pending;
    std::map<std::string, wanted_subscription> wanted;
    std::map<std::string, std::vector<std::string>> handled;
    std::map<std::string, std::vector<std::string>> handled_now;
    std::vector<dead_letter> letters;
    std::vector<std::uint64_t> redriven;
    std::map<std::uint64_t, cluster_ledger> ledgers; ///< by query
  };
  struct arrival {
    time_point when;
    std::size_t from;
    std::size_t to;
    std::function<void()> what;
  };

  void start(std::size_t at) {
    auto& one = *nodes_[at];
    ++one.epoch;
    one.core =
        std::make_unique<router>(router::settings{.node_name = "n" + std::to_string(at),
                                                  .seed = chance_.next(),
                                                  .wall_offset_ms = 0,
                                                  .unreachable_after = how_.unreachable_after});
    one.peers.clear();
    one.peer_epochs.clear();
    one.handled_now.clear();
  }
  void subscribe_now(node& one, const std::string& name) {
    const auto& what = one.wanted.at(name);
    static_cast<void>(one.core->subscribe(name, *topic_filter::parse(what.filter), what.options,
                                          now_, one.asked));
  }

  // -- connections
  static std::pair<std::size_t, std::size_t> pair_of(std::size_t a, std::size_t b) {
    return {std::min(a, b), std::max(a, b)};
  }
  bool connected(std::size_t a, std::size_t b) const { return sessions_.contains(pair_of(a, b)); }
  bool separated(std::size_t a, std::size_t b) const {
    return side_.contains(a) != side_.contains(b);
  }
  void connect(std::size_t a, std::size_t b) {
    sessions_.insert(pair_of(a, b));
    for (const auto& [here, there] : {std::pair(a, b), std::pair(b, a)}) {
      auto& one = *nodes_[here];
      const auto epoch = nodes_[there]->epoch;
      if (!one.peers.contains(there))
        one.peers[there] =
            one.core->add_peer("n" + std::to_string(there), {}, now_, one.asked).value();
      else if (one.peer_epochs[there] != epoch)
        one.core->restart_peer(one.peers[there], now_, one.asked);
      one.peer_epochs[there] = epoch;
      one.core->on_session(one.peers[there], now_, one.asked);
    }
    carry_out(a);
    carry_out(b);
  }
  void cut(std::size_t a, std::size_t b) {
    if (sessions_.erase(pair_of(a, b)) == 0)
      return;
    ++cuts;
    std::erase_if(in_flight_,
                  [&](const arrival& one) { return pair_of(one.from, one.to) == pair_of(a, b); });
    for (const auto& [here, there] : {std::pair(a, b), std::pair(b, a)})
      if (auto& one = *nodes_[here]; one.core && one.peers.contains(there)) {
        one.core->on_session_lost(one.peers.at(there), now_, one.asked);
        carry_out(here); // or what was meant for this session would be said in the next
      }
  }
  void arrive() {
    while (const auto one = take_due(in_flight_, now_)) {
      one->what();
      carry_out(one->to);
      if (is_up(one->from))
        carry_out(one->from);
    }
  }
  void travel(std::size_t from, std::size_t to, int line, std::function<void()> what) {
    auto& last = last_arrival_[{from, to, line}];
    last = std::max(last + duration(1),
                    now_ + duration(static_cast<duration::rep>(
                               chance_.unit() * static_cast<double>(how_.delay_max.count()))));
    in_flight_.push_back({last, from, to, std::move(what)});
  }

  // -- the shells of the nodes
  void carry_out(std::size_t at) {
    auto& one = *nodes_[at];
    if (!one.core)
      return;
    while (!one.asked.empty())
      for (auto& what : std::exchange(one.asked, {})) {
        if (const auto* begun = std::get_if<effects::start_handler>(&what))
          start_life(one, *begun);
        else if (const auto* ended = std::get_if<effects::stop_handler>(&what))
          end_life(one, *ended);
        else if (const auto* sent = std::get_if<effects::dispatch>(&what))
          one.pending.push_back(sent->work);
        else if (const auto* told = std::get_if<effects::acknowledge>(&what))
          one.core->acknowledge(*told, now_, one.asked);
        else if (const auto* over = std::get_if<effects::unsubscribed>(&what))
          one.core->withdraw(*over, now_, one.asked);
        else if (auto* answered = std::get_if<effects::ledgers>(&what))
          one.ledgers[answered->query] =
              merge(std::move(answered->told), std::move(answered->silent));
        else if (const auto* say = std::get_if<effects::to_peer>(&what))
          send(at, say->peer, say->what->what);
        else if (auto* dead = std::get_if<effects::bury>(&what))
          one.letters.push_back(std::move(dead->letter));
        else if (const auto* again = std::get_if<effects::settle_redrive>(&what))
          one.redriven.push_back(again->letter);
        else if (const auto* gone = std::get_if<effects::peer_gone>(&what))
          forget_peer(one, gone->peer);
      }
  }
  static void forget_peer(node& one, std::uint32_t peer) {
    for (auto at = one.peers.begin(); at != one.peers.end(); ++at)
      if (at->second == peer) {
        one.peer_epochs.erase(at->first);
        one.peers.erase(at);
        return;
      }
  }
  void send(std::size_t at, std::uint32_t peer, const link_effect& what) {
    std::size_t to = nodes_.size();
    for (const auto& [there, number] : nodes_[at]->peers)
      if (number == peer)
        to = there;
    if (to == nodes_.size() || !connected(at, to))
      return;
    frame_bytes bytes;
    if (const auto* events = std::get_if<link_effects::send_events>(&what)) {
      append_frame(bytes, events->runs);
      look_at(bytes, link_limits{}.events_bytes());
      travel(at, to, 0, [this, at, to, bytes = std::move(bytes)] {
        auto& there = *nodes_[to];
        auto runs = decode_events(body_of(bytes), id_of(at), now_, {});
        if (runs)
          there.core->on_frame(there.peers.at(at), std::move(*runs), now_, there.asked);
        else
          complain(runs.error().text);
        auto& here = *nodes_[at];
        here.core->on_written(here.peers.at(to), now_, here.asked);
      });
    } else if (const auto* control = std::get_if<link_effects::send_control>(&what)) {
      append_frame(bytes, control->what);
      look_at(bytes, link_limits::control_bytes);
      travel(at, to, 1, [this, at, to, bytes = std::move(bytes)] {
        auto& there = *nodes_[to];
        auto said = decode_control(body_of(bytes));
        if (said)
          there.core->on_control(there.peers.at(at), std::move(*said), now_, there.asked);
        else
          complain(said.error().text);
      });
    } else if (const auto* why = std::get_if<link_effects::cut>(&what)) {
      if (why->why != "it is believed dead" && why->why.find("unreachable") != 0)
        complain(why->why);
      cut(at, to);
    }
  }
  void look_at(const frame_bytes& frame, std::size_t most) {
    if (const auto good = header_of(frame, most); !good)
      complain(good.error().text);
  }
  void complain(const std::string& what) {
    const bool expected = what.find("given up here") != std::string::npos ||
                          what.find("had given this node up") != std::string::npos;
    if (complaint.empty() && !expected) // who was given up for a while meets the other anew
      complaint = what;
  }

  // -- handlers
  void work(std::size_t at) {
    auto& one = *nodes_[at];
    std::set<std::pair<std::uint32_t, std::uint32_t>> busy; // a lane takes its batches in turn
    std::deque<batch_ptr> kept;
    for (auto& batch : std::exchange(one.pending, {})) {
      const std::pair place{batch->subscription, batch->lane};
      if (busy.contains(place) || chance_.unit() >= how_.work_chance) {
        busy.insert(place);
        kept.push_back(std::move(batch));
        continue;
      }
      run(one, batch);
      carry_out(at);
    }
    one.pending.insert(one.pending.begin(), kept.begin(), kept.end());
  }
  void run(node& one, const batch_ptr& batch) {
    const std::pair place{batch->subscription, batch->lane};
    const auto at = one.lives.find(place);
    if (at == one.lives.end() || at->second.generation != batch->generation)
      return; // ended meanwhile: taken back already
    if (at->second.self->run(*batch) != runner::ending::crashed) {
      one.core->on_report(batch, now_, one.asked);
      return;
    }
    one.lives.erase(at);
    one.core->on_handler_down(batch->subscription, batch->lane, batch->generation, exit_kind::error,
                              "it threw", now_, one.asked);
  }
  /// Answers by the dice; remembers what it has done.
  class dicing final : public handler {
  public:
    dicing(sim_cluster& where, node& on) : where_(where), on_(on) {}
    outcome handle(const envelope& event, context& ctx) override {
      const auto dice = where_.chance_.unit();
      if (dice < where_.how_.retry_chance / 4)
        throw std::runtime_error("a crash");
      if (dice < where_.how_.retry_chance)
        return outcome::retry("not now");
      const std::string name(ctx.subscription());
      on_.handled[name].push_back(to_string(event.id()));
      on_.handled_now[name].push_back(to_string(event.id()));
      where_.handled_anywhere_.push_back(to_string(event.id()));
      return outcome::ok();
    }

  private:
    sim_cluster& where_;
    node& on_;
  };
  void start_life(node& one, const effects::start_handler& what) {
    auto around = std::make_shared<runner_surroundings>();
    around->subscription = one.core->name(what.subscription);
    around->make = [this, &one] { return std::make_unique<dicing>(*this, one); };
    auto self = std::make_unique<runner>(around, std::make_shared<handler_control>());
    static_cast<void>(self->start());
    one.lives[{what.subscription, what.lane}] = {what.generation, std::move(self)};
    one.core->on_handler_up(what.subscription, what.lane, what.generation, now_, one.asked);
  }
  void end_life(node& one, const effects::stop_handler& what) {
    const auto at = one.lives.find({what.subscription, what.lane});
    if (at == one.lives.end() || at->second.generation != what.generation)
      return;
    one.lives.erase(at);
    one.core->on_handler_down(what.subscription, what.lane, what.generation, exit_kind::shutdown,
                              "stopped", now_, one.asked);
  }

  settings how_;
  random_source chance_;
  time_point now_{std::chrono::hours(1)};
  std::vector<std::unique_ptr<node>> nodes_;
  std::set<std::pair<std::size_t, std::size_t>> sessions_;
  std::set<std::size_t> side_;
  std::vector<std::string> handled_anywhere_;
  std::uint64_t next_query_ = 1;
  std::deque<arrival> in_flight_;
  std::map<std::tuple<std::size_t, std::size_t, int>, time_point> last_arrival_;
};

} // namespace edupulse::test
