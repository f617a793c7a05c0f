// The first version of this bus, and why there is a second. It was small and lived in one process:
// a typed event became a JSON object, went into a broadcast channel of fixed size, and one loop
// took it from there and started a task for each of its handlers, which was repeated with a growing
// pause; publishing could also send it to a broker. Here is what that got wrong, a case for each
// fault, each saying what happened then and holding us to what must happen now.
//
// Virtual time where that is possible; a node with its threads where the fault was about threads.

#include "kinds.capnp.h"
#include "tests/support/lessons.hpp"
#include <atomic>
#include <edupulse/log_transport.hpp>
#include <future>
#include <latch>
#include <set>
#include <thread>

using namespace edupulse;
using namespace edupulse::test;

namespace {

/// False when it has not happened in a minute: a test that would wait for ever fails instead.
bool happens(const std::future<void>& what) {
  return what.wait_for(1min) == std::future_status::ready;
}

/// Takes lessons, and notes their titles unless it is told not to answer.
class noting_transport final : public transport {
public:
  std::string_view name() const noexcept override { return "noting"; }
  void publish(std::vector<outbound_event> batch) override {
    for (auto& one : batch) {
      if (down) {
        one.done.complete(outcome::unavailable("the broker is gone"));
        continue;
      }
      sent.note(from_event<LessonPublished>(one.done.shared_event()).value()->getTitle().cStr());
      one.done.complete(outcome::ok());
    }
  }
  std::atomic<bool> down{false};
  journal sent;
};

/// A broker that does not answer: the call itself stands still until `broken` opens.
class blocking_transport final : public transport {
public:
  std::string_view name() const noexcept override { return "blocking"; }
  void publish(std::vector<outbound_event> batch) override {
    broken.wait();
    for (auto& one : batch) {
      ++sent;
      one.done.complete(outcome::ok());
    }
  }
  std::latch broken{1};
  std::atomic<int> sent{0};
};

std::set<std::string> numbers(int from, int to) {
  std::set<std::string> all;
  for (int i = from; i < to; ++i)
    all.insert(std::to_string(i));
  return all;
}

} // namespace

// Then: the loop waited until every handler of an event was done before it took the next event, so
// the whole bus was as fast as its slowest handler, and stood still with it.
TEST_CASE("the first bus's fault: one slow handler stalls the bus") {
  const auto release = std::make_shared<std::latch>(1); // outlives a handler that hangs
  std::atomic<int> handled{0}; // before the node: handlers use it until the node is gone
  std::promise<void> all_handled;
  auto at = start_quiet();
  REQUIRE(at.subscribe<LessonPublished>("slow", [release](auto) { release->wait(); }));
  REQUIRE(at.subscribe<LessonPublished>("fast", [&](auto) {
    if (++handled == 1000)
      all_handled.set_value();
  }));
  for (int i = 0; i < 1000; ++i)
    REQUIRE(publish_lesson(at, "a"));
  CHECK(happens(all_handled.get_future())); // all of them, while the other is at its first
  CHECK(at.ledger().of_subscription("slow").handled == 0);
  release->count_down();
  REQUIRE(at.drain(60s));
  CHECK(at.ledger().of_subscription("slow").handled == 1000);
  check_books(at);
}

// Then: a receiver that fell behind got an error of its channel in place of an event, took it for
// the end, and left; publishing failed with "channel closed" from then on. A buffer of 1,024 events
// and 200,000 events in a hurry were enough.
TEST_CASE("the first bus's fault: a full buffer ends the receiver, and all publishing with it") {
  constexpr int many = 200'000;
  const auto release = std::make_shared<std::latch>(1);
  std::atomic<int> handled{0};
  std::atomic<std::uint64_t> sum{0};
  auto at = start_quiet({.inbox_events = 1024});
  subscription_options small;
  small.backlog_events = 1024;
  small.stall_after = 1h; // however slow the machine is, it waits rather than sheds
  small.time_limit = 1h;
  REQUIRE(at.subscribe<LessonPublished>(
      "slow",
      [&, release](LessonPublished::Reader lesson) {
        release->wait();
        for (int i = 0; i < 200; ++i) // slower than the publisher
          sum += std::hash<std::string_view>{}(lesson.getLessonId().cStr());
        ++handled;
      },
      small));
  int accepted = 0;
  expected<receipt> sent;
  while ((sent = publish_lesson(at, "a", "t", {.deadline = 0s})) && accepted < many)
    ++accepted;
  REQUIRE_FALSE(sent); // the buffer is full, and that is an answer
  CHECK(sent.error().code == errc::back_pressure);
  release->count_down();
  for (; accepted < many; ++accepted)
    if (sent = publish_lesson(at, "a", "t", {.deadline = 60s}); !sent)
      break;
  REQUIRE(accepted == many);
  const auto later = publish_lesson(at, "a", "t", {.deadline = 60s, .track = true});
  REQUIRE(later);
  REQUIRE(later->wait(60s)); // of the same key, so all before it are concluded too
  CHECK(later->status()->handled == 1);
  CHECK(handled == many + 1);
  CHECK(at.ledger().total().dropped_in_all() == 0);
  check_books(at);
}

// Then: a channel without receivers refuses what is sent into it, and `publish` passed that on as
// an error of the publisher, who can do nothing about it.
TEST_CASE("the first bus's fault: publishing with no subscriber is an error") {
  testing::bus bus;
  const auto nobody = publish_lesson(bus, "a", "1", {.track = true});
  REQUIRE(nobody);
  REQUIRE(nobody->status());
  CHECK(nobody->status()->no_subscriber());
  REQUIRE(bus.subscribe<LessonPublished>("late", [](auto) {}));
  const auto somebody = publish_lesson(bus, "a", "2", {.track = true});
  REQUIRE(somebody);
  CHECK_FALSE(somebody->status()->no_subscriber());
  CHECK(somebody->status()->handled == 1);
}

// Then: ids were promised to be unique and to grow, and were random numbers (UUID version 4), so
// that whoever sorted by them got the events shuffled.
TEST_CASE("the first bus's fault: ids are promised to grow, and are random") {
  constexpr int each = 2000;
  auto at = start_quiet();
  std::vector<std::vector<event_id>> ids(4);
  std::vector<std::thread> publishers;
  for (auto& mine : ids)
    publishers.emplace_back([&at, &mine] {
      for (int i = 0; i < each; ++i)
        if (auto sent = publish_lesson(at, "a"))
          mine.push_back(sent->id());
    });
  for (auto& one : publishers)
    one.join();
  std::set<std::string> unique;
  bool version_7 = true;
  for (const auto& mine : ids) {
    REQUIRE(mine.size() == each);
    std::vector<std::string> texts; // they grow as text too, as databases keep them
    for (const auto& id : mine)
      texts.push_back(to_string(id));
    CHECK(std::is_sorted(texts.begin(), texts.end()));
    for (const auto& text : texts)
      version_7 = version_7 && text.at(14) == '7';
    unique.insert(texts.begin(), texts.end());
  }
  CHECK(version_7);
  CHECK(unique.size() == 4 * each);
}

// Then: the fields of an event were written beside the envelope's own, so that an event with a
// field `id` had two, and the reader believed one of them.
TEST_CASE("the first bus's fault: a payload with a field `id` corrupts the envelope") {
  using kinds::inner::HasId;
  testing::bus bus;
  std::string own, of_event;
  REQUIRE(bus.subscribe<HasId>("reader", [&](HasId::Reader what, const event_info& info) {
    own = what.getId().cStr();
    of_event = to_string(info.id());
  }));
  std::vector<std::string> lines;
  const auto to_lines = [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  REQUIRE(bus.attach_mirror("modern", ">", std::make_shared<log_transport>(to_lines)));
  REQUIRE(bus.attach_mirror("old form", ">",
                            std::make_shared<log_transport>(to_lines, json_form::flattened)));
  const auto sent = bus.publish<HasId>([](HasId::Builder what) { what.setId("mine"); });
  REQUIRE(sent);
  CHECK(own == "mine");
  CHECK(of_event == to_string(sent->id()));
  REQUIRE(lines.size() == 1); // each in its own place
  CHECK(lines.front().find("\"id\":\"" + of_event + "\"") != std::string::npos);
  CHECK(lines.front().find("\"data\":{\"id\":\"mine\"}") != std::string::npos);
  // The flattened form is still there for old readers. It refuses what it cannot say.
  CHECK(bus.expect_dead_letter("old form", "has a field \"id\""));
}

// Then: "its error will be logged and propagated", said the documentation. It was logged; the event
// was gone.
TEST_CASE("the first bus's fault: an event that fails for good leaves a line in a log") {
  testing::bus bus;
  bool broken = true;
  journal seen;
  REQUIRE(bus.subscribe<LessonPublished>("indexer", [&](LessonPublished::Reader lesson) {
    if (broken)
      throw std::runtime_error("no such index");
    seen.note(text_of(lesson));
  }));
  REQUIRE(publish_lesson(bus, "a", "Alchemy"));
  bus.advance(1min);
  const auto letter = bus.expect_dead_letter("indexer");
  REQUIRE(letter);
  CHECK(from_event<LessonPublished>(letter->event).value()->getTitle() == "Alchemy");
  REQUIRE(letter->attempts.size() == 5);
  for (const auto& one : letter->attempts) {
    CHECK(one.error_type == "std::runtime_error");
    CHECK(one.text == "no such index");
  }
  broken = false;
  REQUIRE(bus.redrive(letter->id));
  CHECK(seen.all() == std::vector<std::string>{"a:Alchemy"});
  CHECK(bus.dead_letters().empty());
  check_books(bus);
}

// Then: there was one kind of error. An event that could never succeed was tried for 30 seconds
// like one whose database was restarting.
TEST_CASE("the first bus's fault: what can never succeed is tried for thirty seconds") {
  testing::bus bus;
  int calls = 0;
  REQUIRE(bus.subscribe<LessonPublished>("indexer", [&](auto) {
    ++calls;
    return outcome::reject("no lesson has two titles");
  }));
  const auto sent = publish_lesson(bus, "a", "1", {.track = true});
  REQUIRE(sent);
  CHECK(calls == 1); // and no time has passed
  CHECK(sent->status()->dead == 1);
  const auto letter = bus.expect_dead_letter("indexer", "no lesson has two titles");
  REQUIRE(letter);
  CHECK(letter->attempts.size() == 1);
  bus.advance(1min);
  CHECK(calls == 1);
  CHECK(bus.ledger().total().retries == 0);
}

// Then: `publish` sent to the broker itself, on the publisher's time. A slow broker made publishing
// slow, and a dead one made it fail.
TEST_CASE("the first bus's fault: a slow or dead broker blocks or fails publishing") {
  SECTION("a broker that does not answer") {
    constexpr int many = 5000; // less than any backlog: nobody but the broker could hold us up
    const auto broker = std::make_shared<blocking_transport>();
    std::atomic<int> handled{0};
    std::promise<void> all_handled;
    auto at = start_quiet();
    REQUIRE(at.attach_mirror("copy", ">", broker));
    REQUIRE(at.subscribe<LessonPublished>("indexer", [&](auto) {
      if (++handled == many)
        all_handled.set_value();
    }));
    for (int i = 0; i < many; ++i)
      REQUIRE(publish_lesson(at, "a", "t", {.deadline = 0s}));
    CHECK(happens(all_handled.get_future()));
    CHECK(broker->sent == 0);
    broker->broken.count_down();
    REQUIRE(at.drain(60s));
    CHECK(broker->sent == many); // late, and all of it
    check_books(at);
  }
  SECTION("a broker that is gone") {
    const auto broker = std::make_shared<noting_transport>();
    broker->down = true;
    testing::bus bus;
    REQUIRE(bus.attach_mirror("copy", ">", broker));
    int handled = 0;
    REQUIRE(bus.subscribe<LessonPublished>("indexer", [&](auto) { ++handled; }));
    for (int i = 0; i < 100; ++i)
      REQUIRE(publish_lesson(bus, "a", std::to_string(i)));
    CHECK(handled == 100);
    bus.advance(1h);
    broker->down = false;
    bus.advance(10s);
    CHECK(broker->sent.size() == 100);
    CHECK(bus.dead_letters().empty());
    check_books(bus);
  }
}

// Then: transports were called hot-pluggable, and could be given to the constructor and nowhere
// else.
TEST_CASE("the first bus's fault: a transport is attached when the bus is made, or never") {
  const auto first = std::make_shared<noting_transport>();
  const auto second = std::make_shared<noting_transport>();
  auto at = start_quiet();
  std::jthread others([&at](std::stop_token stop) { // the node is never idle meanwhile
    while (!stop.stop_requested())
      static_cast<void>(at.publish<StudentEnrolled>([](auto) {}));
  });
  const auto publish_numbers = [&](int from, int to) {
    std::vector<receipt> all;
    for (int i = from; i < to; ++i)
      all.push_back(publish_lesson(at, "a", std::to_string(i), {.track = true}).value());
    return all;
  };
  const auto wait_for = [](const std::vector<receipt>& all) {
    for (const auto& one : all)
      REQUIRE(one.wait(60s));
  };
  wait_for(publish_numbers(0, 100));
  REQUIRE(at.attach_mirror("copy", "lesson.>", first));
  const auto under_way = publish_numbers(100, 200);
  REQUIRE(at.swap_mirror("copy", second));
  wait_for(under_way);
  wait_for(publish_numbers(200, 300));
  REQUIRE(at.detach_mirror("copy"));
  wait_for(publish_numbers(300, 400));

  const auto sent_by = [](const noting_transport& one) {
    const auto all = one.sent.all();
    return std::set<std::string>(all.begin(), all.end());
  };
  auto both = sent_by(*first);
  both.merge(sent_by(*second));
  CHECK(both == numbers(100, 300)); // from the attaching to the detaching, and none is missing
  const auto of_second = sent_by(*second), after_swap = numbers(200, 300);
  CHECK(std::includes(of_second.begin(), of_second.end(), after_swap.begin(), after_swap.end()));
  others.request_stop();
  others.join();
  check_books(at);
}
