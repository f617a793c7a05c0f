// Golden conversations: what a bus says, word for word. Each script below is played, and what was
// said is compared with tests/golden/NAME.trace. Read the files first: they are the protocol
// between the router and its handlers, by example.
//
// When a change of behaviour is meant, EDUPULSE_ACCEPT_GOLDEN=1 rewrites the files, and the diff of
// the commit shows what was changed for whom.

#include "tests/support/golden.hpp"
#include <set>

using namespace edupulse;
using namespace edupulse::test;

namespace {

const std::filesystem::path golden_dir =
    std::filesystem::path(EDUPULSE_SOURCE_DIR) / "tests/golden";

// -- outcomes -----------------------------------------------------------------------------

void publish_to_handled(conversation& with) {
  with.publish("a"); // for nobody
  with.subscribe("indexer");
  with.subscribe("notifier");
  with.publish("a");
  with.publish_together({"a", "b", "b"});
}

void retry_then_dead(conversation& with) {
  subscription_options options;
  options.retry.max_crashes = 3;
  with.subscribe(
      "indexer",
      [](LessonPublished::Reader lesson, context& ctx) -> outcome {
        if (lesson.getTitle() != "e1")
          return outcome::ok();
        if (ctx.attempt() % 2 == 1)
          throw std::runtime_error("no such teacher");
        return outcome::retry("the index is locked");
      },
      options);
  with.publish("a");
  with.publish("a");
  with.publish("b");
  with.pass(1s);
  with.pass(10s);
}

void crash_in_mid_batch(conversation& with) {
  with.subscribe("indexer", [](LessonPublished::Reader lesson, context& ctx) -> outcome {
    if (lesson.getTitle() == "p3" && ctx.attempt() == 1)
      throw std::runtime_error("in the middle");
    return outcome::ok();
  });
  with.publish_together({"a", "b", "c", "c", "d"});
  with.pass(1s);
}

void unavailable_and_probe(conversation& with) {
  auto up = std::make_shared<bool>(false);
  with.subscribe("indexer", [up](auto, context&) {
    return *up ? outcome::ok() : outcome::unavailable("the index is down");
  });
  with.publish_together({"a", "b", "c"});
  with.publish("d");
  with.pass(200ms);
  with.say("the index is up again");
  *up = true;
  with.pass(1s);
}

void deferred_and_completed(conversation& with) {
  auto open = std::make_shared<std::map<std::string, deferral>>();
  with.subscribe("indexer", [open](LessonPublished::Reader lesson, context& ctx) {
    if (ctx.attempt() > 1)
      return outcome::ok();
    (*open)[lesson.getTitle().cStr()] = ctx.defer();
    return outcome::deferred();
  });
  with.publish("a");
  with.publish("b");
  with.publish("b");
  with.say("e1 is completed with ok");
  open->at("e1").complete(outcome::ok());
  with.bus.run();
  with.say("the token of e2 is dropped");
  open->erase("e2");
  with.bus.run();
  with.pass(1s);
  with.say("e3 is completed with reject");
  open->at("e3").complete(outcome::reject("not in this school"));
  with.bus.run();
}

// -- supervision --------------------------------------------------------------------------------

/// Three subscriptions in one scope; the second one's handler throws once, at the second event.
void three_in_a_scope(conversation& with, restart_strategy strategy, const char* name) {
  with.say(std::string("scope school, restarts ") + name);
  REQUIRE(with.bus.scope("school", {.strategy = strategy}));
  subscription_options options;
  options.scope = "school";
  with.subscribe("first", {}, options);
  with.subscribe(
      "second",
      [](LessonPublished::Reader lesson, context& ctx) -> outcome {
        if (lesson.getTitle() == "e2" && ctx.attempt() == 1)
          throw std::runtime_error("once");
        return outcome::ok();
      },
      options);
  with.subscribe("third", {}, options);
  with.publish("a");
  with.publish("a");
  with.pass(1s);
}

void one_for_all(conversation& with) {
  three_in_a_scope(with, restart_strategy::one_for_all, "one_for_all");
}
void rest_for_one(conversation& with) {
  three_in_a_scope(with, restart_strategy::rest_for_one, "rest_for_one");
}

void quarantine_and_resume(conversation& with) {
  with.say("scope school, at most 2 unproductive restarts in 10 s");
  REQUIRE(with.bus.scope("school", {.intensity = 2}));
  subscription_options options;
  options.scope = "school";
  auto broken = std::make_shared<bool>(true);
  with.subscribe(
      "indexer",
      [broken](auto, context&) -> outcome {
        if (*broken)
          throw std::runtime_error("a bug");
        return outcome::ok();
      },
      options);
  with.subscribe("notifier");
  for (const char* key : {"a", "b", "c"})
    with.publish(key);
  with.pass(1s);
  with.publish("d");
  with.say("the bug is mended; resume indexer");
  *broken = false;
  REQUIRE(with.bus.resume("indexer"));
  with.pass(1s);
}

// -- overload -----------------------------------------------------------------------------------

void overload_and_gap(conversation& with) {
  subscription_options options;
  options.backlog_events = 2;
  with.subscribe("indexer", {}, options);
  with.subscribe("notifier");
  with.say("pause indexer");
  REQUIRE(with.bus.pause("indexer"));
  for (int i = 0; i < 3; ++i)
    with.publish("a");
  with.pass(2s);
  with.publish("a");
  with.publish("a");
  with.say("resume indexer");
  REQUIRE(with.bus.resume("indexer"));
  with.publish("a");
  with.pass(1s);
}

// -- dead letters -------------------------------------------------------------------------------

void redrive(conversation& with) {
  auto broken = std::make_shared<bool>(true);
  with.subscribe("indexer", [broken](auto, context&) {
    return *broken ? outcome::reject("no such teacher") : outcome::ok();
  });
  with.subscribe("notifier");
  with.publish("a");
  const auto letter = with.bus.expect_dead_letter("indexer");
  REQUIRE(letter);
  with.say("redrive letter 1, while nothing has changed");
  REQUIRE(with.bus.redrive(letter->id));
  with.say("the teacher is there now; redrive letter 1");
  *broken = false;
  REQUIRE(with.bus.redrive(letter->id));
  CHECK(with.bus.dead_letters().empty());
}

// -- groups -------------------------------------------------------------------------------------

void group_reassignment(conversation& with) {
  subscription_options options;
  options.group = "indexers";
  with.subscribe(
      "indexer-1", [](auto, context&) { return outcome::retry("the index is locked"); }, options);
  with.publish("a");
  with.publish("a");
  with.subscribe("indexer-2", {}, options);
  with.publish("a");
  with.publish("b");
  with.say("unsubscribe indexer-1");
  REQUIRE(with.bus.unsubscribe("indexer-1"));
  with.say("pause indexer-2, publish, and unsubscribe it");
  REQUIRE(with.bus.pause("indexer-2"));
  with.publish("a");
  REQUIRE(with.bus.unsubscribe("indexer-2"));
  with.publish("a");
  with.subscribe("indexer-3", {}, options);
}

struct script {
  const char* name;
  void (*play)(conversation& with);
};

constexpr script scripts[] = {
    {"publish_to_handled", publish_to_handled},
    {"retry_then_dead", retry_then_dead},
    {"crash_in_mid_batch", crash_in_mid_batch},
    {"unavailable_and_probe", unavailable_and_probe},
    {"deferred_and_completed", deferred_and_completed},
    {"one_for_all", one_for_all},
    {"rest_for_one", rest_for_one},
    {"quarantine_and_resume", quarantine_and_resume},
    {"overload_and_gap", overload_and_gap},
    {"redrive", redrive},
    {"group_reassignment", group_reassignment},
};

} // namespace

TEST_CASE("golden conversations: what the bus says is what tests/golden says") {
  for (const auto& [name, play] : scripts)
    DYNAMIC_SECTION(name) {
      conversation with;
      play(with);
      with.bus.check();
      check_books(with.bus);
      check_golden(golden_dir / (std::string(name) + ".trace"), with.lines(), "test_bus");
    }
}

TEST_CASE("golden conversations: every file is played by a script") {
  std::set<std::string> played;
  for (const auto& one : scripts)
    played.insert(std::string(one.name) + ".trace");
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir))
    CHECK((entry.is_directory() || played.contains(entry.path().filename().string())));
}

TEST_CASE(
    "golden conversations: a difference is told with its line, what was expected and what came") {
  const text_lines file{"1", "2", "3", "4", "5", "6", "7"};
  CHECK(first_difference(file, file).empty());
  auto other = file;
  other[5] = "six";
  CHECK(first_difference(file, other) ==
        "line 6 is the first that differs (-: the file, +: this run)\n"
        "    2\n    3\n    4\n    5\n  - 6\n  - 7\n  + six\n  + 7\n");
  CHECK(first_difference({}, {"1"}, 3) ==
        "line 3 is the first that differs (-: the file, +: this run)\n  - (the end)\n  + 1\n");
  CHECK(
      first_difference({"1", "2"}, {"1"}) ==
      "line 2 is the first that differs (-: the file, +: this run)\n    1\n  - 2\n  + (the end)\n");
}
