// The router's core by itself: what it asks of its shell when handlers do not come back. What it
// does with events is shown on the testing bus, in tests/runtime.

#include "actors/router.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/let_pass.hpp"

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

/// Plays the shell: brings handlers up as soon as they are started, and keeps what was asked.
struct shell {
  explicit shell(stuck_calls::limits stuck)
      : core({.node_name = "test", .seed = 1, .wall_offset_ms = 0, .stuck = stuck}) {}

  std::uint32_t subscribe(const std::string& name, execution_place where = execution_place::shared,
                          const std::string& scope = "") {
    subscription_options options;
    options.scope = scope;
    options.time_limit = 1s;
    options.execution = where;
    const auto which = core.subscribe(name, *topic_filter::parse("lesson.*"), options, now, asked);
    carry_out();
    return which.value();
  }
  void publish(std::size_t n = 1) {
    auto events = std::make_shared<chunk>();
    for (std::size_t i = 0; i < n; ++i)
      events->entries.push_back(make_entry(make_event()));
    core.on_events(events, now, asked);
    carry_out();
  }
  void advance(duration by) { let_pass(by, *this); }
  /// Its handler begins the event it was given last, and does not come back.
  void hang(std::uint32_t which) { sent.at(which)->begin(0); }
  /// Another node joins and sends events for `to`; `events.first_seq` is its number of the first.
  void receive(std::uint32_t to, const slice& events) {
    if (!peer) {
      peer = core.add_peer("far", {}, now, asked).value();
      core.on_session(*peer, now, asked);
      core.on_control(*peer, link_resume{}, now, asked);
    }
    std::vector<incoming_run> runs;
    runs.push_back({{events.events, events.begin, events.end, 0}, {{to, events.first_seq, 0}}});
    core.on_frame(*peer, std::move(runs), now, asked);
    carry_out();
  }
  /// The actor of a generation is gone.
  void ended(std::uint32_t which, std::uint32_t generation) {
    core.on_handler_down(which, 0, generation, exit_kind::shutdown, "gone", now, asked);
    carry_out();
  }
  std::string state(std::uint32_t which) const { return core.status().at(which).state; }

  void read_acks(const link_effect& what) {
    const auto* control = std::get_if<link_effects::send_control>(&what);
    const auto* numbered =
        control == nullptr ? nullptr : std::get_if<link_numbered>(&control->what);
    if (numbered == nullptr || !std::holds_alternative<std::vector<ack_run>>(numbered->what))
      return;
    for (const auto& run : std::get<std::vector<ack_run>>(numbered->what))
      for (std::uint64_t i = 0; i < run.count; ++i)
        acknowledged[run.first + i].push_back(run.how);
  }

  void carry_out() {
    while (!asked.empty()) {
      for (auto& what : std::exchange(asked, {})) {
        if (const auto* start = std::get_if<effects::start_handler>(&what)) {
          starts[start->subscription].push_back(*start);
          if (bring_up)
            core.on_handler_up(start->subscription, start->lane, start->generation, now, asked);
        } else if (const auto* work = std::get_if<effects::dispatch>(&what)) {
          sent[work->work->subscription] = work->work;
        } else if (const auto* held = std::get_if<effects::workers_held>(&what)) {
          said.push_back(*held);
        } else if (const auto* ended = std::get_if<effects::acknowledge>(&what)) {
          core.acknowledge(*ended, now, asked);
        } else if (const auto* over = std::get_if<effects::unsubscribed>(&what)) {
          core.withdraw(*over, now, asked);
        } else if (const auto* said_to = std::get_if<effects::to_peer>(&what)) {
          read_acks(said_to->what->what);
        }
      }
    }
    core.check();
  }

  time_point now{1h};
  router core;
  effect_list asked;
  std::map<std::uint32_t, std::vector<effects::start_handler>> starts;
  std::map<std::uint32_t, batch_ptr> sent;
  std::vector<effects::workers_held> said;
  std::map<std::uint64_t, std::vector<fate>> acknowledged; ///< by the peer's number
  std::optional<std::uint32_t> peer;
  bool bring_up = true;
};

} // namespace

TEST_CASE("G11: one stuck call of two workers moves nobody else") {
  shell at({.workers = 2, .most = 8});
  const auto hangs = at.subscribe("hangs");
  const auto other = at.subscribe("other");
  at.publish();
  at.hang(hangs);
  at.advance(5s);
  CHECK(at.core.stuck() == 1);
  CHECK(at.said.empty());
  CHECK(at.starts[other].size() == 1);
  REQUIRE(at.starts[hangs].size() == 2);
  CHECK(at.starts[hangs][1].fresh_thread);
}

TEST_CASE("G11: when stuck calls hold all workers, the handlers that wait for one are moved") {
  shell at({.workers = 2, .most = 8});
  const auto first = at.subscribe("first");
  const auto second = at.subscribe("second");
  const auto waits = at.subscribe("waits");
  const auto runs = at.subscribe("runs"); // in the middle of an event: it has a worker
  const auto own = at.subscribe("own", execution_place::own_thread);
  at.publish(3);
  at.hang(first);
  at.hang(second);
  at.sent.at(runs)->begin(1);
  at.advance(900ms);
  at.sent.at(runs)->begin(2);
  at.advance(400ms);
  CHECK(at.core.stuck() == 2);
  REQUIRE(at.said.size() == 1);
  CHECK(at.said[0].moved == 1);
  CHECK(at.said[0].left == 0);
  REQUIRE(at.starts[waits].size() == 2);
  CHECK(at.starts[waits][1].fresh_thread);
  CHECK(at.sent.at(waits)->generation == at.starts[waits][1].generation);
  CHECK(at.sent.at(waits)->size() == 3); // nothing lost, nothing charged
  CHECK(at.core.ledger_snapshot().of_subscription("waits").crashes == 0);
  CHECK(at.starts[runs].size() == 1);
  CHECK(at.starts[own].size() == 1);
  const auto late = at.subscribe("late");
  CHECK(at.starts[late].front().fresh_thread);
}

TEST_CASE("G11: handlers that had not even started when the workers were held are moved, too") {
  shell at({.workers = 1, .most = 8});
  const auto hangs = at.subscribe("hangs");
  at.bring_up = false;
  const auto unborn = at.subscribe("unborn");
  at.bring_up = true;
  at.publish();
  at.hang(hangs);
  at.advance(2s);
  REQUIRE(at.starts[unborn].size() == 2);
  CHECK(at.starts[unborn][1].fresh_thread);
  CHECK(at.sent.at(unborn)->size() == 1);
}

TEST_CASE("G11: a call that comes back gives its worker back") {
  shell at({.workers = 1, .most = 8});
  const auto hangs = at.subscribe("hangs");
  at.publish();
  at.hang(hangs);
  at.advance(2s);
  CHECK(at.starts[at.subscribe("while held")].front().fresh_thread);
  at.ended(hangs, at.starts[hangs][0].generation);
  CHECK(at.core.stuck() == 0);
  CHECK_FALSE(at.starts[at.subscribe("after")].front().fresh_thread);
}

TEST_CASE("G11: one stuck call more than allowed quarantines the scope it is in and no other") {
  shell at({.workers = 0, .most = 2});
  const auto hangs = at.subscribe("hangs");
  const auto other = at.subscribe("other");
  at.publish();
  for (int i = 0; i < 3; ++i) {
    at.hang(hangs);
    at.advance(10s);
  }
  CHECK(at.core.stuck() == 3);
  CHECK(at.starts[hangs].size() == 3);
  CHECK(at.state(hangs) == "quarantined");
  CHECK(at.state(other) == "running");
  REQUIRE(at.core.resume(hangs, at.now, at.asked));
  at.carry_out();
  CHECK(at.starts[hangs].size() == 4);
  CHECK(at.state(hangs) == "running");
}

TEST_CASE("G11: at most 256 handlers are moved at once, those that have something to do first") {
  shell at({.workers = 1, .most = 8});
  std::vector<std::uint32_t> idle;
  for (int i = 0; i < 300; ++i)
    idle.push_back(at.subscribe("idle-" + std::to_string(i)));
  for (const auto which : idle)
    REQUIRE(at.core.pause(which, at.now, at.asked));
  const auto hangs = at.subscribe("hangs");
  at.publish();
  const auto busy = at.subscribe("busy");
  at.hang(hangs);
  at.advance(2s);
  REQUIRE(at.said.size() == 1);
  CHECK(at.said[0].moved == 256);
  CHECK(at.said[0].left == 45);
  CHECK(at.starts[busy].size() == 1);
}

// -- events of other nodes -----------------------------------------------------------------------

namespace {
slice from_peer(std::uint64_t first, std::size_t n) {
  auto events = std::make_shared<chunk>();
  for (std::size_t i = 0; i < n; ++i)
    events->entries.push_back(make_entry(make_event()));
  return {events, 0, static_cast<std::uint32_t>(n), first};
}
} // namespace

TEST_CASE("a subscription's name has up to 255 bytes, and so has that of a declared scope") {
  shell with({});
  CHECK(with.subscribe(std::string(255, 'n')) == 0);
  const auto refused = [&](const auto& answer) {
    return !answer && answer.error().code == errc::invalid_option;
  };
  const auto filter = *topic_filter::parse("lesson.*");
  for (const auto size : {0, 256})
    CHECK(refused(with.core.subscribe(std::string(size, 'n'), filter, {}, with.now, with.asked)));
  CHECK(with.core.add_scope(std::string(255, 's'), {}));
  for (const auto size : {0, 256})
    CHECK(refused(with.core.add_scope(std::string(size, 's'), {})));
}

TEST_CASE("G2: each event of a peer is acknowledged once, with its number and its end") {
  shell at({});
  const auto which = at.subscribe("reader");
  at.receive(which, from_peer(1, 4));
  at.publish(2); // of this node: nobody is told
  at.receive(which, from_peer(5, 3));
  for (int turn = 0; turn < 10 && at.core.owed() > 0; ++turn) {
    auto work = std::exchange(at.sent.at(which), nullptr);
    if (!work)
      break;
    for (std::uint32_t i = 0; i < work->size(); ++i) {
      work->begin(i);
      if (i == 0)
        work->note({i, exception_note::kind::answered, outcome::reject("no")});
    }
    work->halt(work->size());
    at.core.on_report(work, at.now, at.asked);
    at.carry_out();
  }
  CHECK(at.core.owed() == 0);
  at.advance(10ms);
  REQUIRE(at.acknowledged.size() == 7);
  std::size_t dead = 0;
  for (std::uint64_t dseq = 1; dseq < 8; ++dseq) {
    REQUIRE(at.acknowledged[dseq].size() == 1);
    dead += at.acknowledged[dseq][0] == fate::dead;
  }
  CHECK(dead >= 2);
  const auto book = at.core.ledger_snapshot();
  CHECK(book.balances());
  CHECK(book.find("lesson.published", "reader")->published == 2); // 7 are in their publisher's book
  CHECK(book.of_subscription("reader").published == 9);
}

TEST_CASE("G2: events of a peer that wait when their subscription ends are told to have dropped") {
  shell at({});
  const auto which = at.subscribe("reader");
  REQUIRE(at.core.pause(which, at.now, at.asked));
  at.receive(which, from_peer(1, 5));
  REQUIRE(at.core.unsubscribe(which, at.now, at.asked));
  at.carry_out();
  at.ended(which, at.starts[which].back().generation);
  at.receive(which, from_peer(6, 1)); // too late
  at.advance(10ms);
  REQUIRE(at.acknowledged.size() == 6);
  for (const auto& [dseq, how] : at.acknowledged)
    CHECK(how == std::vector{fate::dropped});
  CHECK(at.core.ledger_snapshot().balances());
}

TEST_CASE("G20: a node that is about to leave tells at once what waited to be told with more") {
  shell at({});
  const auto which = at.subscribe("reader");
  for (std::uint64_t dseq = 1; dseq <= 2; ++dseq) {
    at.receive(which, from_peer(dseq, 1));
    const auto work = std::exchange(at.sent.at(which), nullptr);
    work->begin(0);
    work->halt(1);
    at.core.on_report(work, at.now, at.asked);
    at.carry_out();
  }
  CHECK(at.acknowledged.size() == 1); // the second comes too soon after it
  at.core.tell_conclusions(at.now, at.asked);
  at.carry_out();
  CHECK(at.acknowledged[2] == std::vector{fate::handled});
}

TEST_CASE("G17: where one handler may depend on another it is started when that one is up") {
  shell at({.workers = 2, .most = 8});
  at.bring_up = false;
  REQUIRE(at.core.add_scope("line", {.strategy = restart_strategy::rest_for_one}));
  const auto first = at.subscribe("first", execution_place::shared, "line");
  const auto second = at.subscribe("second", execution_place::shared, "line");
  REQUIRE(at.starts[first].size() == 1);
  CHECK(at.starts[second].empty());
  at.core.on_handler_up(first, 0, at.starts[first][0].generation, at.now, at.asked);
  at.carry_out();
  CHECK(at.starts[second].size() == 1);
}

TEST_CASE("G3: a handler that is started anew begins when the one before it has ended its call") {
  shell at({.workers = 2, .most = 8});
  const auto reader = at.subscribe("reader");
  at.publish();
  at.sent.at(reader)->begin(0);
  REQUIRE(at.core.restart_handlers(reader, at.now, at.asked));
  at.carry_out();
  CHECK(at.starts[reader].size() == 1);
  at.ended(reader, at.starts[reader][0].generation);
  CHECK(at.starts[reader].size() == 2);
}

TEST_CASE("G105: where a handler runs, and when it starts again, can change when it starts anew") {
  shell at({.workers = 2, .most = 8});
  const auto which = at.subscribe("reader");
  auto to = at.core.options(which);
  to.execution = execution_place::own_thread;
  to.restart = restart_kind::temporary;
  to.concurrency = 5; // stays
  at.core.change_options(which, to);
  REQUIRE(at.core.restart_handlers(which, at.now, at.asked));
  at.carry_out();
  at.ended(which, 1);
  CHECK(at.starts[which].size() == 2);
  CHECK(at.core.options(which).execution == execution_place::own_thread);
  CHECK(at.core.options(which).concurrency == 1);
  at.ended(which, 2);
  CHECK(at.core.status().empty());   // as a temporary one
  at.core.change_options(which, to); // too late, and no harm
  CHECK(at.core.change_limits("none", {}).error().code == errc::not_found);
}
