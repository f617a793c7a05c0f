#pragma once
// Two links and what lies between them, in virtual time and on one thread: a wire that carries
// their frames as bytes, that delays, and that breaks when the seed says so, taking with it
// whatever was on its way. Within a session nothing is lost or reordered, as on a TCP connection;
// control and bulk have connections of their own, so the one may overtake the other.

#include "actors/backoff.hpp"
#include "tests/support/events.hpp"
#include "tests/support/in_flight.hpp"
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace edupulse::test {

/// A subscriber of the receiving side: concludes what it gets, now or later, and remembers.
struct far_subscription {
  std::size_t window = 64;
  std::vector<std::string> seen;  ///< ids, in order of arrival
  std::deque<std::uint64_t> held; ///< arrived and not concluded
  bool stopped = false;
  std::uint64_t missed = 0;
};

class lossy_wire {
public:
  struct settings {
    std::uint64_t seed = 1;
    double break_chance = 0.0;    ///< for each step
    double conclude_chance = 1.0; ///< for each event that is held, at each step
    duration delay_max = std::chrono::milliseconds(2);
    /// Told of what is sent, and of what is handed to a subscription.
    std::function<void(bool by_near, const frame_bytes& what)> on_frame{};
    std::function<void(const link_effects::deliver& what)> on_deliver{};
    std::size_t bytes_per_ms = 0; ///< of events from near; 0: any number
  };
  static settings random_trouble(random_source& chance) {
    settings how;
    how.seed = chance.next();
    how.break_chance = 0.1 * chance.unit();
    how.conclude_chance = 0.05 + 0.9 * chance.unit();
    how.delay_max = duration(1 + chance.next() % 5'000'000);
    return how;
  }
  explicit lossy_wire(settings how) : how_(how), chance_(how.seed), near_({}), far_({}) {}

  // -- set-up -------------------------------------------------------------------------
  std::uint32_t add(std::uint32_t remote, destination::settings what = {},
                    std::size_t window = 64) {
    what.index = remote + 100;
    what.remote = remote;
    what.name = "s" + std::to_string(remote) + "@far";
    what.window_events = std::min(what.window_events, window);
    book_.name_subscription(what.index, what.name);
    near_.owed().open(what, book_, now_);
    far_.received().open(remote, window);
    subscriptions_[remote].window = window;
    return what.index;
  }
  /// The far side unsubscribes: what it holds is concluded, and behind that comes the news.
  void withdraw(std::uint32_t remote) {
    for (const auto dseq : std::exchange(subscriptions_[remote].held, {}))
      far_.received().concluded({remote, dseq, 1, fate::dropped, drop_reason::unsubscribed});
    std::vector<std::byte> news(sizeof remote);
    std::memcpy(news.data(), &remote, sizeof remote);
    far_.carry(std::move(news));
    far_.close(remote);
    settle();
  }
  void publish(const std::vector<envelope_ptr>& events, const std::vector<std::uint32_t>& to) {
    auto all = std::make_shared<chunk>();
    for (const auto& event : events)
      all->entries.push_back(make_entry(envelope_ptr(event)));
    near_.owed().offer({all, 0, static_cast<std::uint32_t>(events.size()), 0}, to, now_, effects_);
    settle();
  }

  // -- time ---------------------------------------------------------------------------
  void connect() {
    ++session_;
    in_flight_.clear();
    last_arrival_.clear();
    near_.on_session(now_, from_near_);
    far_.on_session(now_, from_far_);
    connected_ = true;
    settle();
  }
  void cut() {
    if (!connected_)
      return;
    connected_ = false;
    ++cuts;
    in_flight_.clear();
    near_.on_session_lost(now_);
    far_.on_session_lost(now_);
  }
  /// One millisecond.
  void step() {
    now_ += std::chrono::milliseconds(1);
    if (connected_ && chance_.unit() < how_.break_chance)
      cut();
    else if (!connected_ && chance_.unit() < 0.2)
      connect();
    arrive();
    if (how_.bytes_per_ms > 0 && last_arrival_[0] > now_ && ++slow_steps_ % 1000 == 0)
      far_.on_arriving(from_far_);
    for (auto& [remote, what] : subscriptions_)
      conclude_some(remote, what);
    near_.on_tick(now_, effects_, from_near_);
    far_.on_tick(now_, effects_, from_far_);
    settle();
  }
  template <class F> bool steps_until(F done, int most) {
    for (int i = 0; i < most; ++i) {
      if (done())
        return true;
      step();
    }
    return done();
  }
  bool quiet() const { return const_cast<link&>(near_).owed().owed() == 0; }
  void stop_breaking() { how_.break_chance = 0; }

  far_subscription& at(std::uint32_t remote) { return subscriptions_[remote]; }
  link& near_end() { return near_; }
  link& far_end() { return far_; }
  ledger& book() { return book_; }
  effect_list& effects() { return effects_; }
  time_point now() const { return now_; }

  std::uint64_t frames = 0;
  std::uint64_t copies = 0; ///< events that crossed, each once for all its targets
  int cuts = 0;
  std::string broken; ///< what an end complained about

private:
  struct arrival {
    time_point when;
    std::function<void()> what;
  };

  void conclude_some(std::uint32_t remote, far_subscription& what) {
    if (what.stopped)
      return;
    for (auto at = what.held.begin(); at != what.held.end();) {
      if (chance_.unit() >= how_.conclude_chance) {
        ++at;
        continue;
      }
      const auto dice = chance_.unit();
      const auto how = dice < 0.9 ? fate::handled : dice < 0.95 ? fate::dead : fate::expired;
      far_.received().concluded({remote, *at, 1, how, {}});
      at = what.held.erase(at);
    }
  }
  template <class T> void complain(const expected<T>& answer) {
    if (!answer && broken.empty())
      broken = answer.error().text;
  }
  void arrive() {
    while (const auto one = take_due(in_flight_, now_)) {
      one->what();
      settle();
    }
  }
  /// Nothing overtakes on one connection; `line` says which.
  void travel(int line, std::size_t bytes, std::function<void()> what) {
    auto when = now_ + duration(static_cast<duration::rep>(
                           chance_.unit() * static_cast<double>(how_.delay_max.count())));
    if (line == 0 && how_.bytes_per_ms > 0)
      when =
          std::max(now_, last_arrival_[0]) + std::chrono::milliseconds(bytes / how_.bytes_per_ms);
    when = std::max(when, last_arrival_[line] + duration(1));
    last_arrival_[line] = when;
    in_flight_.push_back({when, std::move(what)});
  }
  void settle() {
    near_.flush(now_, from_near_);
    far_.flush(now_, from_far_);
    while (!from_near_.empty() || !from_far_.empty()) {
      for (auto& what : std::exchange(from_near_, {}))
        carry_out(true, std::move(what));
      for (auto& what : std::exchange(from_far_, {}))
        carry_out(false, std::move(what));
    }
    near_.check();
  }
  void carry_out(bool near, link_effect&& what) {
    auto& there = near ? far_ : near_;
    auto& io = near ? from_far_ : from_near_;
    frame_bytes bytes;
    if (const auto* events = std::get_if<link_effects::send_events>(&what)) {
      ++frames;
      for (const auto& run : events->runs)
        copies += run.events.size();
      append_frame(bytes, events->runs);
      if (how_.on_frame)
        how_.on_frame(near, bytes);
      complain(header_of(bytes, link_limits{}.events_bytes()));
      const auto size = bytes.size();
      travel(near ? 0 : 1, size, [this, bytes = std::move(bytes), &there, &io, near] {
        auto runs = decode_events(body_of(bytes), make_node_id(1, 2), now_, {});
        complain(runs);
        if (runs)
          complain(there.on_events(std::move(*runs), io));
        (near ? near_ : far_).on_written();
      });
    } else if (const auto* control = std::get_if<link_effects::send_control>(&what)) {
      append_frame(bytes, control->what);
      if (how_.on_frame)
        how_.on_frame(near, bytes);
      complain(header_of(bytes, link_limits::control_bytes));
      const auto size = bytes.size();
      travel(near ? 2 : 3, size, [this, bytes = std::move(bytes), &there, &io] {
        auto said = decode_control(body_of(bytes));
        complain(said);
        if (!said)
          return;
        if (const auto* resume = std::get_if<link_resume>(&*said))
          complain(there.on_resume(*resume, now_, io));
        else if (const auto* taken = std::get_if<link_taken>(&*said))
          complain(there.on_taken(*taken, now_));
        else
          complain(
              there.on_numbered(std::move(std::get<link_numbered>(*said)), now_, effects_, io));
      });
    } else if (auto* given = std::get_if<link_effects::deliver>(&what)) {
      if (how_.on_deliver)
        how_.on_deliver(*given);
      auto& to = subscriptions_[given->subscription];
      to.missed += given->missed;
      for (std::uint32_t i = 0; i < given->events.size(); ++i) {
        const auto& event = *given->events.events->entries[given->events.begin + i].event;
        to.seen.push_back(to_string(event.id()));
        to.held.push_back(given->events.first_seq + i);
      }
    } else if (const auto* news = std::get_if<link_effects::carried>(&what)) {
      std::uint32_t remote = 0;
      std::memcpy(&remote, news->what.data(), sizeof remote);
      near_.owed().close(remote + 100, drop_reason::unsubscribed, effects_);
    } else if (std::holds_alternative<link_effects::cut>(what)) {
      cut();
    }
  }

  settings how_;
  random_source chance_;
  time_point now_{std::chrono::hours(1)};
  ledger book_;
  link near_;
  link far_;
  link::effects from_near_;
  link::effects from_far_;
  effect_list effects_;
  std::deque<arrival> in_flight_;
  std::map<int, time_point> last_arrival_;
  std::map<std::uint32_t, far_subscription> subscriptions_;
  std::uint64_t session_ = 0;
  std::uint64_t slow_steps_ = 0;
  bool connected_ = false;
};

} // namespace edupulse::test
