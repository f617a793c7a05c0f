// What is kept for other nodes is bounded, whatever backlogs they announce, and one that stands
// still leaves room for the others.

#include "actors/router.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include <set>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

/// What one peer is owed, whose subscriptions announce 64 GiB each unless told otherwise.
struct owed_to_peer {
  explicit owed_to_peer(std::size_t most) : kept(most), box({}, kept) {}
  destination& add(overload_policy policy = overload_policy::wait,
                   std::size_t bytes = std::size_t{64} << 30) {
    destination::settings how;
    how.index = how.remote = next++;
    how.name = "s" + std::to_string(how.index) + "@far";
    how.overload = {policy, std::size_t{1} << 24, bytes, 2s};
    how.window_bytes = bytes;
    book.name_subscription(how.index, how.name);
    return box.open(std::move(how), book, now);
  }
  /// The events are of about 1 KiB. With `others`, between events that this peer does not want.
  std::weak_ptr<const chunk> offer(std::size_t n, const std::vector<std::uint32_t>& to,
                                   std::size_t others = 0,
                                   delivery_level level = delivery_level::acknowledged) {
    auto all = std::make_shared<chunk>();
    for (std::size_t i = 0; i < n + 2 * others; ++i)
      all->entries.push_back(make_entry(make_event({.payload_bytes = 1024, .level = level})));
    const auto begin = static_cast<std::uint32_t>(others);
    box.offer({all, begin, begin + static_cast<std::uint32_t>(n), 0}, to, now, asked);
    look();
    return all;
  }
  /// As publishers do: no more once the gate is closed. How many rounds it took.
  int fill(const std::vector<std::uint32_t>& all, int most = 100'000) {
    int rounds = 0;
    for (bool any = true; any && rounds < most; ++rounds) {
      any = false;
      for (const auto index : all)
        if (!closed.contains(index)) {
          offer(16, {index});
          any = true;
        }
    }
    return rounds;
  }
  /// The peer is sent all there is, and handles what is of `which`.
  void handle(destination& which) {
    while (!box.next_frame(now).empty()) {
    }
    if (const auto n = which.in_flight(); n > 0) {
      REQUIRE(which.conclude(last[which.about().index] + 1, n, fate::handled, {}, now, asked));
      last[which.about().index] += n;
    }
    look();
  }
  void wait(duration time) {
    for (const auto until = now + time; now < until; box.on_check(now, asked), look())
      now += 100ms;
  }
  void look() {
    for (const auto& what : std::exchange(asked, {}))
      if (const auto* gate = std::get_if<effects::gate>(&what)) {
        if (gate->closed)
          closed.insert(gate->subscription);
        else
          closed.erase(gate->subscription);
      }
    box.check();
  }
  ledger_line line(const destination& of) {
    auto seen = book.snapshot([&](auto&& count) {
      box.for_each_owed(
          [&](std::uint32_t index, const envelope& event) { count(index, event.topic()); });
    });
    CHECK(seen.balances());
    return seen.of_subscription(of.about().name);
  }

  budget kept;
  ledger book;
  outbox box;
  time_point now{1s};
  effect_list asked;
  std::set<std::uint32_t> closed; ///< gates
  std::map<std::uint32_t, std::uint64_t> last;
  std::uint32_t next = 1;
};

} // namespace

TEST_CASE(
    "G28: a subscription of a peer that announces a backlog of 64 GiB and stands still is kept "
    "half of the budget, and then stalls like one whose own backlog is full") {
  owed_to_peer peer(4 * mib);
  auto& hog = peer.add();
  peer.fill({1});
  CHECK(peer.closed.contains(1));
  CHECK(peer.kept.kept() >= 2 * mib);
  CHECK(peer.kept.kept() < 2 * mib + 32 * 1024);
  peer.wait(1900ms);
  CHECK_FALSE(hog.stalled());
  peer.wait(300ms);
  CHECK(hog.stalled());
  CHECK(peer.closed.empty()); // nobody waits for it
  const auto before = peer.kept.kept();
  const auto shed = peer.line(hog).dropped_for(drop_reason::shed_stalled);
  peer.offer(100, {1});
  CHECK(peer.kept.kept() == before);
  CHECK(peer.line(hog).dropped_for(drop_reason::shed_stalled) == shed + 100);
}

TEST_CASE("G28: another subscription of that peer goes on as if nothing had happened") {
  owed_to_peer peer(4 * mib);
  peer.add();
  auto& other = peer.add(overload_policy::wait, 256 * 1024);
  peer.fill({1});
  peer.wait(3s);
  for (int i = 0; i < 1000; ++i) {
    peer.offer(16, {2});
    REQUIRE_FALSE(peer.closed.contains(2));
    if (i % 10 == 9)
      peer.handle(other);
  }
  CHECK(peer.line(other).handled == 16'000);
  CHECK(peer.line(other).dropped_in_all() == 0);
}

TEST_CASE("G28: seventeen subscriptions with topics of their own that stand still share the budget "
          "about equally, and leave as much for the next") {
  owed_to_peer peer(32 * mib);
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 1; i <= 17; ++i) {
    peer.add(overload_policy::wait, 4 * mib);
    all.push_back(i);
  }
  peer.fill(all);
  CHECK(peer.closed.size() == 17);
  CHECK(peer.kept.kept() <= 32 * mib);
  CHECK(peer.kept.room() > mib);
  for (const auto index : all)
    CHECK(peer.box.find(index)->owed() * 1024 > mib);
}

TEST_CASE("G28: what was admitted before the gate was seen closed is shed once the subscription is "
          "stalled, and told, as far as it takes from others") {
  owed_to_peer peer(4 * mib);
  auto& hog = peer.add();
  auto& other = peer.add();
  peer.fill({1});
  const auto fair = hog.owed();
  for (int i = 0; i < 200; ++i)
    peer.offer(16, {1});
  CHECK(peer.kept.room() == 0);
  peer.offer(1, {2}); // one event has room whatever happens
  CHECK(other.owed() == 1);
  CHECK(peer.line(other).dropped_in_all() == 0);
  peer.wait(3s);
  CHECK(hog.stalled());
  CHECK(hog.owed() + 32 > fair);
  CHECK(hog.owed() < fair + 32);
  CHECK(peer.kept.room() > mib);
  CHECK(peer.line(hog).dropped_for(drop_reason::shed_stalled) == fair + 3200 - hog.owed());
}

TEST_CASE("G28: a gate that was closed because others had filled the budget opens when they have "
          "made room") {
  owed_to_peer peer(4 * mib);
  auto& hog = peer.add();
  auto& other = peer.add();
  peer.fill({1});
  for (int i = 0; i < 200; ++i)
    peer.offer(16, {1});
  peer.offer(2, {2});
  CHECK(peer.closed.contains(2));
  peer.handle(hog);
  peer.wait(100ms);
  CHECK_FALSE(peer.closed.contains(2));
  CHECK(other.owed() == 2);
}

TEST_CASE(
    "G28: with no room left in the budget best effort and each policy drops what it would of a "
    "full backlog, for its own reason") {
  const std::pair<overload_policy, drop_reason> all[] = {
      {overload_policy::wait, drop_reason::best_effort_full},
      {overload_policy::drop_newest, drop_reason::drop_newest},
      {overload_policy::drop_oldest, drop_reason::drop_oldest},
      {overload_policy::latest_per_key, drop_reason::drop_oldest}};
  for (const auto& [policy, reason] : all) {
    owed_to_peer peer(mib);
    auto& one = peer.add(policy);
    for (int i = 0; i < 200; ++i)
      peer.offer(16, {1}, 0, delivery_level::best_effort);
    CHECK(peer.kept.kept() <= mib);
    CHECK(one.owed() * 1024 > mib / 8);
    CHECK(peer.line(one).dropped_for(reason) == 3200 - one.owed());
  }
}

TEST_CASE("G28: an event that many subscriptions of a peer want is kept, and counted, once") {
  owed_to_peer peer(4 * mib);
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 1; i <= 3000; ++i) { // more than a run may name
    peer.add();
    all.push_back(i);
  }
  peer.offer(16, all);
  CHECK(peer.kept.kept() > 16 * 1024);
  CHECK(peer.kept.kept() < 32 * 1024);
  for (const auto index : all)
    peer.handle(*peer.box.find(index));
  CHECK(peer.box.owed() == 0);
  CHECK(peer.kept.kept() == 0);
}

TEST_CASE("G28: what a peer is owed does not keep the events around it that nobody there wants") {
  owed_to_peer peer(4 * mib);
  peer.add();
  const auto alone = peer.offer(16, {1});
  CHECK_FALSE(alone.expired());
  const auto between = peer.offer(16, {1}, 100);
  CHECK(between.expired());
  CHECK(peer.box.owed() == 32);
}

TEST_CASE("G28: what ends in any way is counted no longer") {
  owed_to_peer peer(4 * mib);
  peer.add();
  peer.add();
  peer.offer(16, {1, 2});
  while (!peer.box.next_frame(peer.now).empty()) {
  }
  peer.offer(16, {1, 2}, 1);
  peer.box.restart();
  CHECK(peer.kept.kept() > 32 * 1024);
  peer.box.close(1, drop_reason::unsubscribed, peer.asked);
  CHECK(peer.kept.kept() > 32 * 1024);
  peer.box.give_up(2, {"here", "unreachable", 0, peer.now}, peer.asked);
  peer.asked.clear(); // the dead letters
  CHECK(peer.kept.kept() == 0);
}

TEST_CASE("G28: all peers together are kept no more than the node's budget") {
  const time_point now{1s};
  router core{{.node_name = "here", .peer_budget = 4 * mib, .budget = 6 * mib}};
  effect_list asked;
  for (int i = 0; i < 4; ++i) {
    const auto peer = core.add_peer("n" + std::to_string(i), {}, now, asked).value();
    core.on_session(peer, now, asked);
    core.on_control(peer, link_resume{}, now, asked);
    announced_subscription what;
    what.number = 1;
    what.name = "hog";
    what.filter = *topic_filter::parse("lesson.published.t" + std::to_string(i));
    what.overload.events = std::size_t{1} << 24;
    what.overload.bytes = std::size_t{64} << 30;
    core.on_control(peer, link_numbered{1, encode({1, {what}, {}})}, now, asked);
  }
  std::set<std::string> closed;
  for (int round = 0; round < 1000 && closed.size() < 4; ++round)
    for (int i = 0; i < 4; ++i) {
      const auto topic = "t" + std::to_string(i);
      if (closed.contains("hog@n" + std::to_string(i)))
        continue;
      auto events = std::make_shared<chunk>();
      for (int n = 0; n < 16; ++n)
        events->entries.push_back(
            make_entry(make_event({.subject = topic, .payload_bytes = 1024})));
      asked.clear();
      core.on_events(events, now, asked);
      for (const auto& what : asked)
        if (const auto* gate = std::get_if<effects::gate>(&what); gate != nullptr && gate->closed)
          closed.insert(core.name(gate->subscription));
    }
  CHECK(closed.size() == 4);
  std::size_t sum = 0;
  for (const auto& [node, kept] : core.kept_for_peers()) {
    CHECK(kept > mib);
    CHECK(kept <= 2 * mib);
    sum += kept;
  }
  CHECK(core.kept_for_peers().size() == 4);
  CHECK(sum <= 6 * mib);
}
