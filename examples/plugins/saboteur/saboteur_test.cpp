#include "catch.hpp"
#include "saboteur.hpp"
#include <csignal>
#include <edupulse/testing.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

edupulse::plugin_settings settings_with(const std::string& harm, const std::string& key,
                                        std::int64_t tries = 0) {
  edupulse::plugin_settings settings;
  settings.set("harm", harm);
  settings.set("key", key);
  settings.set("tries", tries);
  settings.set("slow-ms", std::int64_t{1});
  return settings;
}

/// The handler of lessons, told to harm those with the key "42".
struct sabotaged {
  explicit sabotaged(const std::string& harm, std::int64_t tries = 0) {
    REQUIRE(bus.subscribe("lesson.>", "lessons", [settings = settings_with(harm, "42", tries)] {
      return std::make_unique<key_watcher>(settings);
    }));
  }
  void publish(const char* id) {
    REQUIRE(bus.publish<LessonPublished>([&](auto lesson) { lesson.setLessonId(id); }));
  }
  edupulse::testing::bus bus;
};

/// How a process ends in which that harm is done: waitpid's status.
int end_of_a_process_with(const char* harm) {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL); // Catch2's would report it
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(1); // for `hang`
    static_cast<void>(do_harm(harm, std::chrono::milliseconds(0)));
    ::_exit(0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

} // namespace

TEST_CASE("saboteur: it throws for the lessons that it is told, and others go on") {
  sabotaged by("throw");
  by.publish("42");
  by.publish("43");
  CHECK(by.bus.handled("lessons") == 1);
  by.bus.advance(std::chrono::minutes(1));
  CHECK(by.bus.expect_dead_letter("lessons", "sabotage"));
  CHECK(by.bus.ledger().balances());
}

TEST_CASE("saboteur: harm to the first tries only is survived") {
  sabotaged by("throw", 2);
  by.publish("42");
  by.bus.advance(std::chrono::minutes(1));
  CHECK(by.bus.handled("lessons") == 1);
  CHECK(by.bus.ledger().total().crashes == 2);
}

TEST_CASE("saboteur: it refuses, asks to be tried again, and is not available") {
  sabotaged refusing("reject");
  refusing.publish("42");
  CHECK(refusing.bus.dead_letters().size() == 1);
  sabotaged unable("unavailable");
  unable.publish("42");
  CHECK(unable.bus.subscriptions().front().state == "unavailable");
  sabotaged unwilling("retry");
  unwilling.publish("42");
  CHECK(unwilling.bus.ledger().total().handled == 0);
  sabotaged slow("slow");
  slow.publish("42");
  CHECK(slow.bus.handled("lessons") == 1);
}

TEST_CASE("saboteur: an order is carried out by what it says, or refused") {
  edupulse::testing::bus bus;
  REQUIRE(bus.subscribe<SabotageOrdered>(
      "orders", [] { return std::make_unique<order_taker>(settings_with("none", "")); }));
  const auto order = [&](const char* harm) {
    REQUIRE(bus.publish<SabotageOrdered>([&](auto to) { to.setHarm(harm); }));
  };
  order("none");
  CHECK(bus.handled("orders") == 1);
  order("reject");
  CHECK(bus.expect_dead_letter("orders", "sabotage"));
  order("arson");
  CHECK(bus.expect_dead_letter("orders", "there is no such harm; there are none, throw"));
}

TEST_CASE("saboteur: a setting that is no harm is said at the start") {
  CHECK_THROWS_WITH(key_watcher(settings_with("arson", "")),
                    "there is no such harm; there are none, throw, hang, segfault, exit, slow, "
                    "retry, reject, unavailable");
}

TEST_CASE("saboteur: it takes a process down, or hangs") {
  const auto crashed = end_of_a_process_with("segfault");
  CHECK((WIFSIGNALED(crashed) && WTERMSIG(crashed) == SIGSEGV));
  const auto ended = end_of_a_process_with("exit");
  CHECK((WIFEXITED(ended) && WEXITSTATUS(ended) == 3));
  const auto hung = end_of_a_process_with("hang");
  CHECK((WIFSIGNALED(hung) && WTERMSIG(hung) == SIGALRM));
}
