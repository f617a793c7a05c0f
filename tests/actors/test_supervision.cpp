#include "actors/supervision.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <set>

using namespace edupulse;
using namespace std::chrono_literals;

namespace {

/// Supervises one scope, and writes down what it is asked to do.
struct supervised {
  supervision logic;
  supervision::scope_id scope = 0;
  time_point now{1000s};
  supervision::effects out;

  explicit supervised(scope_options options = {}) {
    scope = logic.add_scope("scope", options).value();
  }

  std::uint32_t add(restart_kind kind = restart_kind::permanent) {
    return logic.add_child(scope, kind, now, out);
  }
  void add(std::size_t count) {
    while (count-- > 0)
      add();
    said();
  }
  void ends(std::uint32_t child, exit_kind how, bool productive) {
    logic.on_exit(child, logic.status(child).generation, how, productive, now, out);
  }
  void crashes(std::uint32_t child) { ends(child, exit_kind::error, true); }
  void fails_to_start(std::uint32_t child) { ends(child, exit_kind::failed_start, false); }
  void wait(duration how_long) {
    now += how_long;
    logic.on_wake(now, out);
  }
  bool running(std::uint32_t child) const { return logic.status(child).is_running(); }

  /// What was asked since the last call, one effect a line, `start 1.3` for child 1, generation 3.
  /// `until` is relative to `now`.
  std::string said() {
    logic.check();
    std::string lines;
    for (const auto& one : std::exchange(out, {}))
      lines += describe(one) + "\n";
    return lines;
  }

  std::string describe(const supervision::effect& one) const {
    const auto pair = [](auto child, auto number) {
      return std::to_string(child) + "." + std::to_string(number);
    };
    if (auto* a = std::get_if<supervision::start>(&one))
      return "start " + pair(a->child, a->generation);
    if (auto* b = std::get_if<supervision::stop>(&one))
      return "stop " + pair(b->child, b->generation);
    if (auto* c = std::get_if<supervision::ended>(&one))
      return "ended " + std::to_string(c->child);
    if (auto* d = std::get_if<supervision::backing_off>(&one))
      return "back off " + std::to_string(d->child) + " for " +
             std::to_string((d->until - now) / 1ms);
    return std::holds_alternative<supervision::resumed>(one) ? "resumed" : "quarantined";
  }
};

scope_options strategy(restart_strategy which) {
  scope_options options;
  options.strategy = which;
  return options;
}

const auto one_for_one = strategy(restart_strategy::one_for_one);
const auto one_for_all = strategy(restart_strategy::one_for_all);
const auto rest_for_one = strategy(restart_strategy::rest_for_one);

} // namespace

// -- strategies ---------------------------------------------------------------------

TEST_CASE("SV1: children start in order and stop in reverse, and a stop is immediate") {
  for (const auto& options : {one_for_one, one_for_all, rest_for_one}) {
    supervised s(options);
    s.add();
    s.add();
    s.add();
    CHECK(s.said() == "start 0.1\nstart 1.1\nstart 2.1\n");
    s.logic.stop_all(s.out);
    CHECK(s.said() == "stop 2.1\nstop 1.1\nstop 0.1\n");
    for (std::uint32_t child : {0u, 1u, 2u})
      CHECK_FALSE(s.logic.is_current(child, 1));
    CHECK(s.logic.state(s.scope) == supervision::scope_state::stopped);
  }
}

TEST_CASE("supervision: scopes stop in reverse order of their declaration") {
  supervised s;
  const auto other = s.logic.add_scope("other", {}).value();
  s.add();
  s.logic.add_child(other, restart_kind::permanent, s.now, s.out);
  s.said();
  s.logic.stop_all(s.out);
  CHECK(s.said() == "stop 1.1\nstop 0.1\n");
}

TEST_CASE("supervision: one_for_one restarts the child that ended and no other") {
  supervised s(one_for_one);
  s.add(3);
  s.crashes(1);
  CHECK(s.said() == "start 1.2\n");
}

TEST_CASE("supervision: one_for_all stops the others in reverse, then starts all in order") {
  supervised s(one_for_all);
  s.add(3);
  s.crashes(1);
  CHECK(s.said() == "stop 2.1\nstop 0.1\nstart 0.2\nstart 1.2\nstart 2.2\n");
}

TEST_CASE("supervision: rest_for_one takes along those declared after the one that ended") {
  supervised s(rest_for_one);
  s.add(4);
  s.crashes(1);
  CHECK(s.said() == "stop 3.1\nstop 2.1\nstart 1.2\nstart 2.2\nstart 3.2\n");
}

TEST_CASE("supervision: an exit of a generation that is not running is ignored") {
  supervised s(one_for_all);
  s.add(2);
  s.crashes(0);
  s.said();
  s.logic.on_exit(1, 1, exit_kind::error, true, s.now, s.out); // it was stopped by the strategy
  s.logic.on_exit(0, 1, exit_kind::error, true, s.now, s.out); // it was heard of already
  s.logic.on_exit(0, 7, exit_kind::error, true, s.now, s.out);
  s.logic.on_exit(9, 1, exit_kind::error, true, s.now, s.out);
  CHECK(s.said().empty());
  CHECK(s.logic.counts(s.scope).restarts == 1);
}

TEST_CASE("SV3: restart kinds and ends make the table of twelve cells") {
  struct cell {
    restart_kind kind;
    exit_kind how;
    bool starts_again;
  };
  const cell table[] = {
      {restart_kind::permanent, exit_kind::normal, true},
      {restart_kind::permanent, exit_kind::shutdown, true},
      {restart_kind::permanent, exit_kind::error, true},
      {restart_kind::permanent, exit_kind::kill, true},
      {restart_kind::transient, exit_kind::normal, false},
      {restart_kind::transient, exit_kind::shutdown, false},
      {restart_kind::transient, exit_kind::error, true},
      {restart_kind::transient, exit_kind::kill, true},
      {restart_kind::temporary, exit_kind::normal, false},
      {restart_kind::temporary, exit_kind::shutdown, false},
      {restart_kind::temporary, exit_kind::error, false},
      {restart_kind::temporary, exit_kind::kill, false},
      // Not in OTP, which has neither: both are errors.
      {restart_kind::transient, exit_kind::hang, true},
      {restart_kind::transient, exit_kind::failed_start, true},
      {restart_kind::temporary, exit_kind::hang, false},
      {restart_kind::temporary, exit_kind::failed_start, false},
  };
  for (const auto& options : {one_for_one, one_for_all, rest_for_one})
    for (const auto& [kind, how, starts_again] : table) {
      INFO("kind " << int(kind) << ", ended by " << to_string(how));
      supervised s(options);
      s.add(kind);
      s.add();
      s.said();
      s.ends(0, how, how != exit_kind::failed_start);
      const bool alone = options.strategy == restart_strategy::one_for_one;
      const std::string again =
          alone ? "start 0.2\n" : "stop 1.1\nstart 0.2\nstart 1.2\n"; // both take the second along
      CHECK(s.said() == (starts_again ? again : "ended 0\n"));
      CHECK(s.logic.counts(s.scope).restarts == (starts_again ? 1 : 0));
    }
}

TEST_CASE("supervision: a temporary child terminated for a sibling is never started again") {
  supervised s(one_for_all);
  s.add();
  s.add(restart_kind::temporary);
  s.said();
  s.crashes(0);
  CHECK(s.said() == "stop 1.1\nended 1\nstart 0.2\n");
  s.crashes(0);
  CHECK(s.said() == "start 0.3\n");
}

TEST_CASE("supervision: a transient child that ended comes back with its siblings, as in OTP") {
  supervised s(one_for_all);
  s.add();
  s.add(restart_kind::transient);
  s.said();
  s.ends(1, exit_kind::normal, true);
  CHECK(s.said() == "ended 1\n");
  s.crashes(0);
  CHECK(s.said() == "start 0.2\nstart 1.2\n");
}

// -- intensity ------------------------------------------------------------------------

TEST_CASE("SV2: exactly `intensity` unproductive restarts succeed within `period`") {
  for (const std::uint32_t intensity : {0u, 1u, 3u, 10u}) {
    auto options = one_for_one;
    options.intensity = intensity;
    options.period = 1h;
    supervised s(options);
    s.add();
    s.add();
    s.said();
    for (std::uint32_t n = 0; n < intensity; ++n) {
      s.fails_to_start(0);
      s.wait(5s); // the longest back-off
      CHECK(s.running(0));
    }
    s.said();
    s.fails_to_start(0);
    const auto last = "stop 1.1\nquarantined\n"; // the children first, and once
    CHECK(s.said() == last);
    CHECK(s.logic.state(s.scope) == supervision::scope_state::quarantined);
    CHECK(s.logic.counts(s.scope).quarantines == 1);
    s.wait(24h);
    CHECK(s.said().empty());
    CHECK_FALSE(s.logic.next_deadline());
  }
}

TEST_CASE("SV2: a restart exactly one period old still counts, an older one does not") {
  auto options = one_for_one;
  options.intensity = 1;
  options.period = 10s;
  options.quiet = 1s;
  for (const bool older : {false, true}) {
    supervised s(options);
    s.add(1);
    s.fails_to_start(0);
    s.wait(older ? 10s + 1ns : duration(10s));
    s.said();
    s.fails_to_start(0);
    CHECK(s.said() == (older ? "start 0.3\n" : "quarantined\n"));
  }
}

TEST_CASE("SV2: children stop in reverse order before a quarantine is announced") {
  auto options = one_for_all;
  options.intensity = 0;
  supervised s(options);
  s.add(2);
  s.add(restart_kind::temporary);
  s.add();
  s.said();
  s.fails_to_start(1);
  CHECK(s.said() == "stop 3.1\nstop 2.1\nended 2\nstop 0.1\nquarantined\n");
}

TEST_CASE("SV4: one failure is one count in every strategy, and a failed restart is one more") {
  for (const auto& options : {one_for_one, one_for_all, rest_for_one}) {
    supervised s(options);
    s.add(5);
    s.fails_to_start(0);
    CHECK(s.logic.counts(s.scope).unproductive == 1);
    CHECK(s.logic.counts(s.scope).restarts == 1);
    s.fails_to_start(0); // the restart itself
    CHECK(s.logic.counts(s.scope).unproductive == 2);
    s.wait(50ms);
    CHECK(s.running(4));
  }
}

TEST_CASE("supervision: productive crashes are never counted, a hang always is") {
  auto options = one_for_one;
  options.intensity = 2;
  supervised s(options);
  s.add(1);
  for (int n = 0; n < 1000; ++n)
    s.ends(0, n % 2 == 0 ? exit_kind::error : exit_kind::kill, true);
  CHECK(s.running(0));
  CHECK(s.logic.counts(s.scope).unproductive == 0);
  CHECK(s.logic.counts(s.scope).restarts == 1000);
  for (int n = 0; n < 3; ++n) {
    s.ends(0, exit_kind::hang, true);
    s.wait(5s);
  }
  CHECK(s.logic.state(s.scope) == supervision::scope_state::quarantined);
}

TEST_CASE("supervision: crashes and kills before the first completed event are counted") {
  for (const auto how :
       {exit_kind::error, exit_kind::kill, exit_kind::normal, exit_kind::shutdown}) {
    auto options = one_for_one;
    options.intensity = 1;
    supervised s(options);
    s.add(1);
    s.ends(0, how, false);
    CHECK(s.running(0));
    s.ends(0, how, false);
    CHECK(s.logic.state(s.scope) == supervision::scope_state::quarantined);
  }
}

TEST_CASE("V2: whichever start fails, its child is started again, up to the intensity") {
  for (std::uint32_t failing = 1; failing <= 11; ++failing) { // the failing-th start of the child
    supervised s(one_for_one);
    s.add(1);
    for (std::uint32_t n = 1; n < failing; ++n) {
      s.crashes(0); // earlier generations did some work
      CHECK(s.running(0));
    }
    s.said();
    s.fails_to_start(0);
    CHECK(s.said() == "start 0." + std::to_string(failing + 1) + "\n");
  }
  for (std::uint32_t failures = 1; failures <= 11; ++failures) { // the first so many starts
    auto options = one_for_one;
    options.period = 1h; // with 10 s the back-offs alone would keep it below 10 restarts
    supervised s(options);
    s.add(1);
    for (std::uint32_t n = 0; n < failures; ++n) {
      REQUIRE(s.running(0));
      s.fails_to_start(0);
      if (s.logic.next_deadline())
        s.wait(*s.logic.next_deadline() - s.now);
    }
    CHECK(s.running(0) == (failures <= 10));
  }
}

TEST_CASE("V3: a hundred children that crash in one instant make one restart sequence") {
  for (const bool productive : {true, false}) {
    supervised s(one_for_all);
    s.add(100);
    for (std::uint32_t child = 0; child < 100; ++child)
      s.logic.on_exit(child, 1, exit_kind::error, productive, s.now, s.out);
    CHECK(std::count_if(s.out.begin(), s.out.end(), [](const auto& one) {
            return std::holds_alternative<supervision::start>(one);
          }) == 100);
    CHECK(s.logic.counts(s.scope).restarts == 1);
    CHECK(s.logic.counts(s.scope).unproductive == (productive ? 0 : 1));
    for (std::uint32_t child = 0; child < 100; ++child)
      CHECK(s.logic.status(child).generation == 2);
    CHECK(s.logic.state(s.scope) == supervision::scope_state::running);
  }
}

// -- back-off ---------------------------------------------------------------------------

TEST_CASE("supervision: the first unproductive restart is immediate, later ones back off") {
  auto options = one_for_one;
  options.intensity = 100;
  supervised s(options);
  s.add(1);
  s.fails_to_start(0);
  CHECK(s.said() == "start 0.2\n");
  std::uint32_t generation = 2;
  for (const int ms : {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
    s.fails_to_start(0);
    CHECK(s.said() == "back off 0 for " + std::to_string(ms) + "\n");
    CHECK(s.logic.state(s.scope) == supervision::scope_state::backing_off);
    CHECK(s.logic.next_deadline() == s.now + ms * 1ms);
    s.wait(ms * 1ms - 1ns);
    CHECK(s.said().empty());
    s.wait(1ns);
    CHECK(s.said() == "start 0." + std::to_string(++generation) + "\n");
  }
}

TEST_CASE("supervision: a productive exit or a quiet time ends the back-off") {
  supervised s(one_for_one);
  s.add(1);
  const auto fails_twice = [&] {
    s.fails_to_start(0);
    s.fails_to_start(0);
    CHECK_FALSE(s.running(0));
    s.wait(50ms);
    s.said();
  };
  fails_twice();
  s.crashes(0);
  CHECK(s.running(0));
  fails_twice(); // and not 200 ms: the streak began anew
  s.wait(10s - 1ns);
  s.said();
  s.fails_to_start(0);
  CHECK(s.said() == "back off 0 for 100\n");
  s.wait(100ms);
  s.wait(10s);
  s.said();
  s.fails_to_start(0);
  CHECK(s.logic.status(0).is_running());
}

TEST_CASE("supervision: a zero back-off restarts at once") {
  auto options = one_for_one;
  options.back_off = 0ms;
  supervised s(options);
  s.add(1);
  s.fails_to_start(0);
  s.fails_to_start(0);
  s.fails_to_start(0);
  CHECK(s.said() == "start 0.2\nstart 0.3\nstart 0.4\n");
}

TEST_CASE("supervision: in one_for_one a child that backs off delays nobody") {
  supervised s(one_for_one);
  s.add(2);
  s.fails_to_start(0);
  s.fails_to_start(0);
  s.said();
  s.crashes(1);
  s.add();
  CHECK(s.said() == "start 1.2\nstart 2.1\n");
}

TEST_CASE("supervision: children of one_for_one that back off are woken each in its time") {
  supervised s(one_for_one);
  s.add(2);
  s.fails_to_start(0);
  s.fails_to_start(0);
  s.fails_to_start(1);
  s.wait(10ms);
  s.fails_to_start(1);
  CHECK(s.logic.next_deadline() == s.now + 40ms);
  s.said();
  s.wait(40ms);
  CHECK(s.said() == "start 0.3\n");
  s.wait(10ms);
  CHECK(s.said() == "start 1.3\n");
}

TEST_CASE("supervision: start order is kept across a back-off in one_for_all and rest_for_one") {
  for (const auto& options : {one_for_all, rest_for_one}) {
    supervised s(options);
    s.add(3);
    s.fails_to_start(1);
    s.said();
    s.fails_to_start(1);
    const bool all = options.strategy == restart_strategy::one_for_all;
    CHECK(s.said() ==
          (all ? "stop 2.2\nstop 0.2\nback off 1 for 50\n" : "stop 2.2\nback off 1 for 50\n"));
    s.add(); // declared last, so it waits for those before it
    CHECK(s.said().empty());
    s.wait(50ms);
    CHECK(s.said() == (all ? "start 0.3\nstart 1.3\nstart 2.3\nstart 3.1\n"
                           : "start 1.3\nstart 2.3\nstart 3.1\n"));
  }
}

TEST_CASE("supervision: a crash before a child that backs off does not shorten its back-off") {
  supervised s(rest_for_one);
  s.add(3);
  s.fails_to_start(1);
  s.fails_to_start(1);
  s.said();
  s.crashes(0);
  CHECK(s.said() == "start 0.2\n");
  s.wait(50ms);
  CHECK(s.said() == "start 1.3\nstart 2.3\n");
}

// -- stopping, removing, resuming ---------------------------------------------------------

TEST_CASE("SV5: a stop during a back-off is honoured at once") {
  for (const bool all : {true, false}) {
    supervised s(one_for_one);
    s.add(1);
    s.fails_to_start(0);
    s.fails_to_start(0);
    CHECK(s.logic.next_deadline());
    s.said();
    if (all)
      s.logic.stop_all(s.out);
    else
      s.logic.remove_child(0, s.out);
    CHECK(s.said().empty()); // nothing runs, so there is nothing to revoke
    CHECK_FALSE(s.logic.next_deadline());
    s.wait(1h);
    CHECK(s.said().empty());
  }
}

TEST_CASE("V4: a stop during a start, a restart or another stop is honoured at once") {
  supervised s(one_for_all);
  s.add(2);
  s.crashes(0); // both are being started anew
  s.said();
  s.logic.remove_child(1, s.out);
  CHECK(s.said() == "stop 1.2\n");
  s.logic.remove_child(1, s.out);
  CHECK(s.said().empty());
  s.logic.stop_all(s.out);
  CHECK(s.said() == "stop 0.2\n");
  s.logic.stop_all(s.out);
  s.logic.on_exit(0, 2, exit_kind::shutdown, true, s.now, s.out);
  s.logic.remove_child(0, s.out);
  CHECK(s.said().empty());
}

TEST_CASE("V4: the siblings of a child removed during its back-off start when it would have") {
  supervised s(rest_for_one);
  s.add(3);
  s.fails_to_start(1);
  s.fails_to_start(1);
  s.add(); // waits, too, and would have been due at once
  s.said();
  s.logic.remove_child(1, s.out);
  s.wait(0ms);
  CHECK(s.said().empty());
  s.wait(50ms);
  CHECK(s.said() == "start 2.3\nstart 3.1\n");
}

TEST_CASE("SV6: one generation runs at a time, and a new one is always greater") {
  supervised s(one_for_all);
  s.add(2);
  CHECK(s.logic.is_current(0, 1));
  s.crashes(1);
  CHECK_FALSE(s.logic.is_current(0, 1));
  CHECK(s.logic.is_current(0, 2));
  s.fails_to_start(0);
  s.fails_to_start(0);
  CHECK_FALSE(s.logic.is_current(0, 2)); // while it backs off, none is
  CHECK_FALSE(s.logic.is_current(0, 3));
  CHECK_FALSE(s.logic.is_current(0, 4));
  s.wait(50ms);
  CHECK(s.logic.is_current(0, 4));
}

TEST_CASE("supervision: a child id is never used again") {
  supervised s;
  const auto old = s.add();
  s.logic.remove_child(old, s.out);
  CHECK(s.add() != old);
  s.said();
  s.logic.on_exit(old, 1, exit_kind::error, false, s.now, s.out);
  CHECK(s.said().empty());
  CHECK(s.logic.status(old).state == supervision::child_state::removed);
}

TEST_CASE("supervision: a resumed scope starts in order and has forgotten its failures") {
  auto options = one_for_one;
  options.intensity = 1;
  supervised s(options);
  s.add(2);
  s.fails_to_start(1);
  s.fails_to_start(1);
  s.add(); // during the quarantine
  CHECK_FALSE(s.running(2));
  s.said();
  s.wait(1ms);
  s.logic.resume(s.scope, s.now, s.out);
  CHECK(s.said() == "resumed\nstart 0.2\nstart 1.3\nstart 2.1\n");
  s.fails_to_start(1); // the first again: immediate and allowed
  CHECK(s.said() == "start 1.4\n");
  s.logic.resume(s.scope, s.now, s.out); // not quarantined
  CHECK(s.said().empty());
}

TEST_CASE("supervision: nothing starts after stop_all") {
  for (const std::uint32_t intensity : {0u, 1u}) { // out of quarantine, and out of running
    auto options = one_for_one;
    options.intensity = intensity;
    supervised s(options);
    s.add(1);
    s.fails_to_start(0);
    s.logic.stop_all(s.out);
    s.said();
    s.add();
    s.logic.resume(s.scope, s.now, s.out);
    s.wait(1h);
    CHECK(s.said().empty());
  }
}

// -- scopes -------------------------------------------------------------------------------

TEST_CASE("supervision: a scope declared twice must have the same options") {
  supervision logic;
  const auto first = logic.add_scope("plugin", one_for_all).value();
  CHECK(logic.add_scope("plugin", one_for_all).value() == first);
  CHECK(logic.add_scope("plugin", one_for_one).error().code == errc::duplicate_name);
  CHECK(logic.find_scope("plugin") == first);
  CHECK_FALSE(logic.find_scope("plug"));
  logic.remove_scope(first);
  CHECK_FALSE(logic.find_scope("plugin"));
  CHECK(logic.add_scope("plugin", one_for_one));
  logic.check();
}

TEST_CASE("G105: other limits of a scope hold from then on, and its strategy stays") {
  auto options = one_for_one;
  options.intensity = 1;
  supervised s(options);
  s.add(1);
  s.fails_to_start(0); // counted
  s.said();
  auto stricter = one_for_all;
  stricter.intensity = 0;
  CHECK(s.logic.change_limits(s.scope, stricter));
  CHECK(s.logic.options(s.scope).strategy == restart_strategy::one_for_one);
  s.logic.check();
  s.fails_to_start(0);
  CHECK(s.logic.state(s.scope) == supervision::scope_state::quarantined);
  s.logic.resume(s.scope, s.now, s.out);
  auto wider = one_for_one;
  wider.intensity = 5;
  CHECK(s.logic.change_limits(s.scope, wider));
  for (int i = 0; i < 5; ++i) {
    s.fails_to_start(0);
    s.wait(1s);
  }
  CHECK(s.running(0));
  wider.period = 0s;
  CHECK(s.logic.change_limits(s.scope, wider).error().code == errc::invalid_option);
  CHECK(s.logic.options(s.scope).period == 10s);
}

TEST_CASE("G105: a child of another restart kind starts again, or not, as that says") {
  supervised s(one_for_one);
  s.add(2);
  s.logic.change_restart(0, restart_kind::temporary);
  s.said();
  s.crashes(0);
  s.crashes(1);
  CHECK(s.said() == "ended 0\nstart 1.2\n");
}

TEST_CASE("supervision: scope options beyond their limits are refused by name") {
  const auto refuses = [](std::string_view word, auto change) {
    scope_options options;
    change(options);
    supervision logic;
    const auto result = logic.add_scope("s", options);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == errc::invalid_option);
    CHECK(result.error().text.find(word) != std::string::npos);
  };
  refuses("intensity", [](auto& o) { o.intensity = 10'001; });
  refuses("period", [](auto& o) { o.period = 0s; });
  refuses("period", [](auto& o) { o.period = -1s; });
  refuses("period", [](auto& o) { o.period = 25h; });
  refuses("back_off", [](auto& o) { o.back_off = 6s; });
  refuses("back_off", [](auto& o) { o.back_off = -1s; });
  refuses("back_off_cap", [](auto& o) { o.back_off_cap = 25h; });
  refuses("quiet", [](auto& o) { o.quiet = -1s; });
  refuses("strategy", [](auto& o) { o.strategy = static_cast<restart_strategy>(3); });
}

TEST_CASE("supervision: an effect reads as one line") {
  const time_point at{1500ms};
  CHECK(to_string(supervision::effect(supervision::start{1, 2})) == "start child=1 generation=2");
  CHECK(to_string(supervision::effect(supervision::stop{1, 2})) == "stop child=1 generation=2");
  CHECK(to_string(supervision::effect(supervision::ended{1})) == "ended child=1");
  CHECK(to_string(supervision::effect(supervision::resumed{3})) == "resumed scope=3");
  CHECK(to_string(supervision::effect(supervision::backing_off{1, at})) ==
        "backing_off child=1 until=1500");
  auto options = one_for_one;
  options.intensity = 0;
  supervised s(options);
  s.add(1);
  s.fails_to_start(0);
  CHECK(to_string(s.out.back()) ==
        "quarantined scope=0 why=\"scope 'scope': 1 unproductive restarts within 10000 ms, "
        "0 allowed; the last was 'failed start'. Resume the scope when the cause is mended\"");
}

// -- anything, in any order -----------------------------------------------------------------

namespace {

/// A shell that believes only effects, and objects when they contradict each other.
struct shell {
  std::set<std::pair<std::uint32_t, std::uint32_t>> actors;
  std::set<std::uint32_t> alive;
  std::set<std::uint32_t> quarantined;

  void carry_out(const supervision& logic, supervision::effects& out) {
    for (const auto& one : std::exchange(out, {})) {
      if (auto* a = std::get_if<supervision::start>(&one)) {
        REQUIRE(alive.insert(a->child).second); // no second generation beside the first
        REQUIRE(actors.insert({a->child, a->generation}).second);
        REQUIRE_FALSE(quarantined.contains(logic.status(a->child).scope));
      } else if (auto* b = std::get_if<supervision::stop>(&one)) {
        REQUIRE(alive.erase(b->child) == 1);
      } else if (auto* c = std::get_if<supervision::quarantined>(&one)) {
        REQUIRE(quarantined.insert(c->scope).second);
      } else if (auto* d = std::get_if<supervision::resumed>(&one)) {
        REQUIRE(quarantined.erase(d->scope) == 1);
      }
    }
    logic.check();
  }
};

} // namespace

TEST_CASE("supervision: its rules hold under any sequence of failures, removals and resumes") {
  test::random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  for (int round = 0; round < 200; ++round) {
    supervision logic;
    shell world;
    supervision::effects out;
    time_point now{1s};
    std::vector<std::uint32_t> children;
    for (int n = 0; n < 3; ++n) {
      auto options = strategy(static_cast<restart_strategy>(n));
      options.intensity = chance.below(6u);
      options.period = 500ms;
      options.quiet = 300ms;
      logic.add_scope("scope " + std::to_string(n), options).value();
    }
    for (int step = 0; step < 300; ++step) {
      const auto scope = chance.below(3u);
      const auto dice = chance.below(20);
      if (children.empty() || dice < 2) {
        children.push_back(
            logic.add_child(scope, static_cast<restart_kind>(chance.below(3)), now, out));
      } else if (dice == 2) {
        const auto at = chance.below(children.size());
        logic.remove_child(children[at], out);
        children.erase(children.begin() + static_cast<std::ptrdiff_t>(at));
      } else if (dice == 3) {
        logic.resume(scope, now, out);
      } else if (dice < 9) {
        now += chance.below(200) * 1ms;
        logic.on_wake(now, out);
        CHECK((!logic.next_deadline() || *logic.next_deadline() > now));
      } else {
        const auto child = children[chance.below(children.size())];
        const auto status = logic.status(child);
        if (status.is_running()) {
          world.alive.erase(child);
          logic.on_exit(child, status.generation, static_cast<exit_kind>(chance.below(6)),
                        chance.one_in(2), now, out);
        }
      }
      world.carry_out(logic, out);
      for (const auto child : children)
        REQUIRE(logic.status(child).is_running() == world.alive.contains(child));
    }
    logic.stop_all(out);
    world.carry_out(logic, out);
    REQUIRE(world.alive.empty());
    REQUIRE_FALSE(logic.next_deadline());
  }
}
