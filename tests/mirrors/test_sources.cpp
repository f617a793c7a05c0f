// What every source promises, whatever the broker: a node, and a broker that does as it is told.

#include "schemas/source_event.hpp"
#include "schemas/typed_event.hpp"
#include "tests/mirrors/scripted_source.hpp"
#include "tests/support/lessons.hpp"
#include <atomic>
#include <edupulse/transports.hpp>
#include <mutex>
#include <set>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

source_options known(acknowledge_when when = acknowledge_when::accepted) {
  source_options made;
  made.acknowledge = when;
  made.types = types_of<LessonPublished>();
  return made;
}

void attach(node& to, scripted_broker& from, source_options how = known()) {
  REQUIRE(to.attach_source("in", std::make_unique<scripted_source>(from), std::move(how)));
}

source_status status_of(const node& of) {
  const auto all = of.sources();
  REQUIRE(all.size() == 1);
  return all.front();
}

/// Answers when it is told to.
class held_answers {
public:
  outcome hold(context& ctx) {
    std::lock_guard guard(mutex_);
    held_.push_back(ctx.defer());
    return outcome::deferred();
  }
  std::size_t size() {
    std::lock_guard guard(mutex_);
    return held_.size();
  }
  void answer(std::size_t which) {
    std::lock_guard guard(mutex_);
    held_[which].complete(outcome::ok());
  }
  void answer_all() {
    std::lock_guard guard(mutex_);
    deferral::complete_all(held_, outcome::ok());
  }

private:
  std::mutex mutex_;
  std::vector<deferral> held_;
};

} // namespace

TEST_CASE("G116: what a source has is published in its order, and acknowledged") {
  scripted_broker broker;
  for (int i = 0; i < 250; ++i)
    broker.put_lesson("k" + std::to_string(i % 5), std::to_string(i / 5));
  journal seen;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>("watch", note_in(seen)));
  attach(node, broker);
  eventually([&] { return seen.size() == 250 && broker.left() == 0; });
  for (int key = 0; key < 5; ++key) {
    const auto titles = seen.of("k" + std::to_string(key));
    REQUIRE(titles.size() == 50);
    for (std::size_t i = 0; i < titles.size(); ++i)
      CHECK(titles[i] == std::to_string(i));
  }
  const auto status = status_of(node);
  CHECK(status.name == "in");
  CHECK(status.source == "script");
  CHECK(status.where == "script://here");
  CHECK(status.health.is == transport_health::state::up);
  CHECK(status.received == 250);
  CHECK(status.published == 250);
  eventually([&] { return status_of(node).acknowledged == 250; });
  check_books(node);
}

TEST_CASE("G117: what cannot be read is a dead letter with its bytes, and is acknowledged") {
  scripted_broker broker;
  const std::string bytes = "no \xFF JSON";
  broker.put({.topic = "lessons", .headers = {{"x", "y"}}, .key = "k", .body = bytes});
  broker.put_lesson("k", "good");
  journal seen;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>("watch", note_in(seen)));
  attach(node, broker);
  eventually([&] { return seen.size() == 1 && broker.left() == 0; });
  eventually([&] { return node.dead_letters().value().size() == 1; });
  const auto letter = node.dead_letters().value().front();
  CHECK(letter.subscription == "in");
  CHECK_THAT(letter.reason, Contains("UTF-8"));
  const event_view<SourceMalformed> what(letter.event);
  CHECK(what->getTopic() == "lessons");
  CHECK(what->getKey() == "k");
  CHECK(what->getHeaders()[0].getName() == "x");
  const auto kept = what->getBody().getBytes();
  CHECK(std::string(kept.asChars().begin(), kept.size()) == bytes);
  CHECK(status_of(node).malformed == 1);
  check_books(node);
}

TEST_CASE("G117: a letter that can be read by now is an event when it is redriven") {
  std::atomic<bool> is_known = false;
  auto how = known();
  how.types = [&](std::string_view name) {
    return is_known && name == "lesson.published" ? &event_traits<LessonPublished>::type()
                                                  : nullptr;
  };
  scripted_broker broker;
  broker.put_lesson("k", "late");
  journal seen;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>("watch", note_in(seen)));
  attach(node, broker, how);
  eventually([&] { return node.dead_letters().value().size() == 1; });
  CHECK_THAT(node.dead_letters().value().front().reason, Contains("lesson.published"));
  is_known = true;
  REQUIRE(node.redrive_all("in").value() == 1);
  eventually([&] { return seen.size() == 1 && node.dead_letters().value().empty(); });
  CHECK(seen.all().front() == "k:late");
}

TEST_CASE("G117: a message larger than an event is kept in part, and says so") {
  node_options small;
  small.max_event_bytes = 4096;
  scripted_broker broker;
  broker.put_lesson("k", std::string(100'000, 'x'));
  broker.put({.headers = {{"h", std::string(100'000, 'y')}}, .body = "{"});
  auto node = start_quiet(small);
  attach(node, broker);
  eventually([&] { return node.dead_letters().value().size() == 2; });
  CHECK(broker.left() == 0);
  const auto letters = node.dead_letters().value();
  for (const auto& letter : letters) {
    const event_view<SourceMalformed> what(letter.event);
    CHECK(what->getCut() > 0);
    CHECK_THAT(letter.reason, Contains("missing"));
  }
}

TEST_CASE("G116: a source may wait until its events are concluded before it acknowledges them") {
  scripted_broker broker;
  for (int i = 0; i < 3; ++i)
    broker.put_lesson("k" + std::to_string(i), "t");
  held_answers held;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>(
      "slow", [&](LessonPublished::Reader, context& ctx) { return held.hold(ctx); }));
  attach(node, broker, known(acknowledge_when::concluded));
  eventually([&] { return held.size() == 3; });
  CHECK(broker.left() == 3);
  CHECK(status_of(node).waiting == 3);
  held.answer(1);
  eventually([&] { return broker.left() == 2; });
  held.answer_all();
  eventually([&] { return broker.left() == 0; });
  eventually([&] { return status_of(node).waiting == 0; }); // told of after the broker is
}

TEST_CASE("G116: no more is read than may wait to be concluded") {
  scripted_broker broker;
  for (int i = 0; i < 50; ++i)
    broker.put_lesson("k" + std::to_string(i), "t");
  held_answers held;
  auto how = known(acknowledge_when::concluded);
  how.in_flight = 7;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>(
      "slow", [&](LessonPublished::Reader, context& ctx) { return held.hold(ctx); }));
  attach(node, broker, how);
  // A batch is ten, and less than seven would be one more.
  eventually([&] { return broker.signs_of_life() > 2; });
  CHECK(status_of(node).received == 10);
  while (broker.left() > 0)
    held.answer_all();
  eventually([&] { return status_of(node).acknowledged == 50; }); // told of after the broker is
}

TEST_CASE("G116: while the bus has no room the source waits, and keeps its connection") {
  scripted_broker broker;
  const auto put = [&](int begin, int end) {
    for (int i = begin; i < end; ++i)
      broker.put_lesson("k" + std::to_string(i), "t");
  };
  held_answers held;
  subscription_options narrow;
  narrow.backlog_events = 8;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>(
      "slow", [&](LessonPublished::Reader, context& ctx) { return held.hold(ctx); }, narrow));
  attach(node, broker);
  put(0, 20); // all of them may be on the bus before it notices that it is full
  eventually([&] { return held.size() == 20 || broker.signs_of_life() > 0; });
  put(20, 100);
  eventually([&] { return broker.signs_of_life() > 2; });
  CHECK(broker.left() > 50);
  while (broker.left() > 0)
    held.answer_all();
  CHECK(broker.connects() == 1);
  CHECK(status_of(node).published == 100);
  node.stop(0s); // for what is held
}

TEST_CASE("G116: a source that is paused reads no more, keeps its connection, and goes on") {
  scripted_broker broker;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>("watch", [](auto) {}));
  attach(node, broker);
  REQUIRE(node.pause_source("in"));
  CHECK(status_of(node).paused);
  const auto signs_after = [&](int more) {
    const auto so_far = broker.signs_of_life();
    eventually([&] { return broker.signs_of_life() >= so_far + more; });
  };
  signs_after(1); // what it was receiving is over
  for (int i = 0; i < 30; ++i)
    broker.put_lesson("k" + std::to_string(i), "t");
  signs_after(3);
  CHECK(broker.left() == 30);
  CHECK(status_of(node).received == 0);
  REQUIRE(node.resume_source("in"));
  eventually([&] { return broker.left() == 0; });
  CHECK_FALSE(status_of(node).paused);
  CHECK(broker.connects() == 1);
  CHECK(node.pause_source("watch").error().code == errc::not_found); // no source
  CHECK(node.resume_source("none").error().code == errc::not_found);
}

TEST_CASE("G116: what was not acknowledged comes again after an outage, with the same ids") {
  scripted_broker broker;
  broker.put_lesson("k", "t");
  std::mutex mutex;
  std::vector<event_id> ids;
  held_answers held;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>("slow", [&](LessonPublished::Reader, context& ctx) {
    std::lock_guard guard(mutex);
    ids.push_back(ctx.id());
    return held.hold(ctx);
  }));
  attach(node, broker, known(acknowledge_when::concluded));
  eventually([&] { return held.size() == 1; });
  broker.break_down("gone fishing");
  eventually([&] { return broker.connects() == 2; });
  while (broker.left() > 0)
    held.answer_all(); // the second one waits for the first: they have one key
  std::lock_guard guard(mutex);
  REQUIRE(ids.size() == 2);
  CHECK(ids[0] == ids[1]);
}

TEST_CASE("G116: a broker that is down is told of in its own words, and tried again") {
  scripted_broker broker;
  broker.break_down("no such host");
  broker.put_lesson("k", "t");
  std::string why;
  auto node = start_quiet();
  attach(node, broker);
  eventually([&] {
    const auto status = status_of(node);
    if (status.health.is == transport_health::state::down)
      why = status.health.why;
    return status.published == 1;
  });
  CHECK((why.empty() || why == "no such host")); // it may have been too quick to be seen
  CHECK(status_of(node).health.is == transport_health::state::up);
}

TEST_CASE("G116: an echo is acknowledged and not published") {
  scripted_broker broker;
  broker.put({.headers = {{"edupulse-via", "paris lyon"}}, .body = "{}"});
  broker.put_lesson("k", "t");
  auto how = known();
  how.mark = "lyon";
  auto node = start_quiet();
  attach(node, broker, how);
  eventually([&] { return broker.left() == 0; });
  CHECK(status_of(node).echoes == 1);
  CHECK(status_of(node).published == 1);
  CHECK(node.dead_letters().value().empty());
}

TEST_CASE("G116: a source that is detached leaves what it has not acknowledged to others") {
  scripted_broker broker;
  for (int i = 0; i < 5; ++i)
    broker.put_lesson("k" + std::to_string(i), "t");
  held_answers held;
  auto node = start_quiet();
  REQUIRE(node.subscribe<LessonPublished>(
      "slow", [&](LessonPublished::Reader, context& ctx) { return held.hold(ctx); }));
  attach(node, broker, known(acknowledge_when::concluded));
  eventually([&] { return held.size() == 5; });
  held.answer(0);
  eventually([&] { return broker.left() == 4; });
  REQUIRE(node.detach_source("in"));
  CHECK(node.sources().empty());
  CHECK(node.detach_source("in").error().code == errc::not_found);
  attach(node, broker);
  eventually([&] { return broker.left() == 0; });
  node.stop(0s); // for what is held
}

TEST_CASE("G116: a node that stops acknowledges what it has concluded, and reads no more") {
  scripted_broker broker;
  for (int i = 0; i < 20; ++i)
    broker.put_lesson("k" + std::to_string(i), "t");
  journal seen;
  {
    auto node = start_quiet();
    REQUIRE(node.subscribe<LessonPublished>("watch", note_in(seen)));
    attach(node, broker, known(acknowledge_when::concluded));
    eventually([&] { return seen.size() > 0; });
    node.stop(5s);
    CHECK(node.sources().front().acknowledged == seen.size());
  }
  CHECK(broker.left() + seen.size() == 20);
}

TEST_CASE("a source needs a name of its own, and something to read from") {
  scripted_broker broker;
  auto node = start_quiet();
  const auto problem = [&](const std::string& name) {
    const auto made = node.attach_source(name, std::make_unique<scripted_source>(broker));
    REQUIRE_FALSE(made);
    return made.error().code;
  };
  REQUIRE(node.subscribe<LessonPublished>("taken", [](LessonPublished::Reader) {}));
  CHECK(problem("taken") == errc::duplicate_name);
  CHECK(problem("") == errc::invalid_option);
  CHECK(problem("a.b") == errc::invalid_option);
  CHECK(problem("*") == errc::invalid_option);
  CHECK(node.attach_source("in", nullptr).error().code == errc::invalid_option);
  CHECK(node.sources().empty());
}
