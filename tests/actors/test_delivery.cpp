// One subscription's core by itself, between handlers that the test plays: for what depends on
// whose batch comes back first. What it makes of handlers' answers is shown on the testing bus.

#include "actors/delivery.hpp"
#include "schemas/hash.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include <algorithm>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

struct rig {
  explicit rig(const subscription_options& options = {})
      : core({0, "reader", "here", options, 1, 0}, book, now) {
    book.name_subscription(0, "reader");
    for (std::uint32_t lane = 0; lane < core.lanes(); ++lane)
      core.lane_up(lane, 1);
  }
  /// A key of events that the handler of `lane`, one of two, is given.
  static std::string key_of(std::uint32_t lane) {
    std::string key = "k";
    while (make_event({.key = key})->key_hash() >> 63 != lane)
      key += "k";
    return key;
  }
  void publish(std::size_t n, const std::string& key) {
    auto events = std::make_shared<chunk>();
    for (std::size_t i = 0; i < n; ++i)
      events->entries.push_back(make_entry(make_event({.key = key})));
    core.offer(events, 0, static_cast<std::uint32_t>(n), now, asked);
    dispatch();
  }
  void dispatch() {
    core.dispatch(now, asked);
    for (auto& what : std::exchange(asked, {}))
      if (auto* given = std::get_if<effects::dispatch>(&what))
        sent[given->work->lane].push_back(std::move(given->work));
    core.check();
  }
  /// The handler is through with `work`, and has noted what did not simply succeed.
  void report(const batch_ptr& work) {
    work->halt(work->size());
    core.on_report(work, now, asked);
    dispatch();
  }
  void give_back(const batch_ptr& work, std::uint32_t from = 0) {
    for (auto i = from; i < work->size(); ++i)
      work->note({i, exception_note::kind::returned});
    report(work);
  }
  void advance(duration by) {
    now += by;
    core.on_wake(now, asked);
    dispatch();
  }

  ledger book;
  time_point now{1h};
  delivery core;
  effect_list asked;
  std::map<std::uint32_t, std::vector<batch_ptr>> sent; ///< by lane
};

} // namespace

TEST_CASE(
    "G3, G9: what an unavailable handler gives back late is not overtaken when another one of "
    "its subscription is available") {
  rig at({.concurrency = 2});
  auto& first = at.sent[0];
  auto& second = at.sent[1];
  at.publish(1, rig::key_of(1));
  at.publish(100, rig::key_of(0));
  REQUIRE(first.size() == 3); // the rest waits
  for (const auto& work : {first[0], second.at(0)}) {
    work->note({0, exception_note::kind::answered, outcome::unavailable("down")});
    at.give_back(work, 1);
  }
  at.advance(10s);
  REQUIRE(second.size() == 2); // the probe: the other handler has not given back everything
  at.report(second[1]);
  CHECK_FALSE(at.core.breaker_is_open());
  CHECK(first.size() == 3);
  at.give_back(first[1]);
  at.give_back(first[2]);
  std::vector<std::uint64_t> order;
  for (std::size_t next = 3; next < first.size(); ++next) {
    const auto work = first[next];
    for (std::uint32_t i = 0; i < work->size(); ++i)
      order.push_back(work->seq(i));
    at.report(work);
  }
  CHECK(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(at.core.idle());
}

TEST_CASE("G10: a deferral that is completed before its batch has ended counts") {
  rig at;
  at.publish(2, "");
  const auto work = at.sent[0].at(0);
  work->note({0, exception_note::kind::answered, outcome::deferred()});
  at.core.on_completion(work->seq(0), work->attempt(0), outcome::ok(), at.now, at.asked);
  at.report(work);
  CHECK(at.core.idle());
  CHECK(at.book.row_of("lesson.published", text_hash("lesson.published"), 0).handled == 2);
}

TEST_CASE("G10: a handler that defers all it gets is given no more than its window") {
  rig at({.window = 8});
  at.publish(40, "");
  const auto work = at.sent[0].at(0);
  REQUIRE(work->size() == 8);
  for (std::uint32_t i = 0; i < 8; ++i)
    work->note({i, exception_note::kind::answered, outcome::deferred()});
  at.report(work);
  CHECK(at.sent[0].size() == 1);
  CHECK(at.core.in_flight() == 8);
  at.core.on_completion(work->seq(0), work->attempt(0), outcome::ok(), at.now, at.asked);
  at.dispatch();
  CHECK(at.sent[0].size() == 2);
}

TEST_CASE("G10: what is deferred and what is handed out are never more than the window together") {
  rig at({.window = 64});
  at.publish(200, "");
  auto& sent = at.sent[0];
  REQUIRE(sent.size() == 2); // of 32 each
  std::vector<std::pair<std::uint64_t, std::uint32_t>> open;
  const auto defer_all = [&](const batch_ptr& work) {
    for (std::uint32_t i = 0; i < work->size(); ++i) {
      work->note({i, exception_note::kind::answered, outcome::deferred()});
      open.emplace_back(work->seq(i), work->attempt(i));
    }
    at.report(work);
    CHECK(at.core.in_flight() <= 64);
  };
  auto complete_next = [&, next = std::size_t{0}]() mutable {
    const auto [seq, attempt] = open.at(next++);
    at.core.on_completion(seq, attempt, outcome::ok(), at.now, at.asked);
    at.dispatch();
  };
  defer_all(sent[0]);
  defer_all(sent[1]);
  CHECK(sent.size() == 2);
  for (int i = 0; i < 7; ++i)
    complete_next();
  CHECK(sent.size() == 2); // room for seven is not worth a batch
  complete_next();
  REQUIRE(sent.size() == 3);
  CHECK(sent[2]->size() == 8);
  CHECK(at.core.in_flight() == 64);
}

TEST_CASE("G12: a handler that goes on within its batch does not stand still, however slowly") {
  rig at({.backlog_events = 32});
  at.publish(32, ""); // full: publishers wait
  const auto work = at.sent[0].at(0);
  REQUIRE(work->size() == 32);
  for (std::uint32_t i = 0; i < 10; ++i) {
    work->begin(i);
    at.advance(1s);
    CHECK_FALSE(at.core.is_stalled());
  }
  for (int i = 0; i < 3; ++i)
    at.advance(1s);
  CHECK(at.core.is_stalled());
}

TEST_CASE(
    "G12: a gap before an event that comes back untried is told when it is handed out again") {
  const bool killed = GENERATE(true, false);
  rig at({.backlog_events = 64, .overload = overload_policy::drop_oldest});
  auto& sent = at.sent[0];
  at.publish(1, "");
  at.publish(70, ""); // seven too many: what is left begins with a gap
  REQUIRE(sent.size() == 2);
  REQUIRE(sent[1]->gap(0) == 7);
  const auto first = sent[1]->seq(0);
  if (killed) {
    sent[0]->begin(0);
    at.core.lane_down(0, "killed", at.now, at.asked);
    at.core.lane_up(0, 2);
    at.dispatch();
  } else {
    sent[0]->note({0, exception_note::kind::answered, outcome::unavailable("down")});
    at.report(sent[0]);
    at.give_back(sent[1]);
  }
  at.advance(10s);
  at.report(sent[2]); // the probe
  std::uint64_t told = 0;
  for (std::size_t next = 2; next < sent.size(); ++next)
    for (std::uint32_t i = 0; i < sent[next]->size(); ++i)
      told += sent[next]->seq(i) == first ? sent[next]->gap(i) : 0;
  CHECK(told == 7);
}

TEST_CASE(
    "G105: other limits of an event's tries and time hold from then on, and its window stays") {
  rig at({.retry = {.first = 0ms}});
  const auto fail = [&] { // the last that it was given
    const auto work = at.sent[0].back();
    work->note({0, exception_note::kind::answered, outcome::retry("not now")});
    at.report(work);
  };
  at.publish(1, "");
  fail();
  at.advance(1ms);
  REQUIRE(at.sent[0].size() == 2); // tried again at once
  subscription_options to{.window = 1, .time_limit = 100ms};
  to.retry.give_up_after = 0ms;
  at.core.change(to);
  fail();
  CHECK(at.core.idle()); // given up
  at.publish(3, "");
  CHECK(at.sent[0].back()->size() == 3);
  at.sent[0].back()->begin(0);
  at.core.on_wake(at.now, at.asked);
  at.advance(99ms);
  CHECK(at.core.stuck_lanes(at.now).empty());
  at.advance(200ms);
  CHECK(at.core.stuck_lanes(at.now) == std::vector<std::uint32_t>{0});
}
