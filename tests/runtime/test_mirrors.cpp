// Outbound transports: a broken other side is not the publishers' trouble, and loses nothing.

#include "tests/support/lessons.hpp"
#include <edupulse/log_transport.hpp>
#include <set>

using namespace edupulse;
using namespace edupulse::test;

namespace {

/// Fails, stalls and recovers on command.
class flaky_transport final : public transport {
public:
  enum class mood { works, down, stalls };
  std::string_view name() const noexcept override { return "flaky"; }
  void publish(std::vector<outbound_event> batch) override {
    for (auto& one : batch) {
      switch (now) {
      case mood::works:
        sent.push_back(std::string(one.event->key()));
        one.done.complete(outcome::ok());
        break;
      case mood::down:
        one.done.complete(outcome::unavailable("the broker is gone"));
        break;
      case mood::stalls:
        held.push_back(std::move(one));
        break;
      }
    }
  }
  mood now = mood::works;
  std::vector<std::string> sent;
  std::vector<outbound_event> held;
};

std::set<std::string> keys(int n) {
  std::set<std::string> all;
  for (int i = 0; i < n; ++i)
    all.insert("k" + std::to_string(i));
  return all;
}

} // namespace

TEST_CASE("G23: an outage of the other side loses nothing and holds no publisher") {
  testing::bus bus;
  auto to = std::make_shared<flaky_transport>();
  subscription_options options;
  options.overload = overload_policy::drop_newest;
  REQUIRE(bus.attach_mirror("copy", ">", to, options));
  for (int i = 0; i < 300; ++i) {
    if (i % 100 == 50)
      to->now = flaky_transport::mood::down;
    if (i % 100 == 80)
      to->now = flaky_transport::mood::works;
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i)));
    bus.advance(20ms);
  }
  bus.advance(1min);
  CHECK(std::set<std::string>(to->sent.begin(), to->sent.end()) == keys(300));
  CHECK(to->sent.size() == 300);
  CHECK(bus.handled("copy") == 300);
  check_books(bus);
}

TEST_CASE("G23: what a stalled transport holds is sent by its successor after a swap under load") {
  testing::bus bus;
  auto old = std::make_shared<flaky_transport>();
  auto fresh = std::make_shared<flaky_transport>();
  REQUIRE(bus.attach_mirror("copy", ">", old));
  for (int i = 0; i < 200; ++i) {
    if (i == 60)
      old->now = flaky_transport::mood::stalls;
    if (i == 120)
      REQUIRE(bus.swap_mirror("copy", fresh));
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i)));
  }
  old->held.clear(); // it goes, and drops what it has not sent
  bus.advance(10s);
  std::multiset<std::string> all(old->sent.begin(), old->sent.end());
  all.insert(fresh->sent.begin(), fresh->sent.end());
  CHECK(all.size() == 200);
  CHECK(std::set<std::string>(all.begin(), all.end()) == keys(200));
  check_books(bus);
}

TEST_CASE("G23: a swap while nothing is wrong sends each event once") {
  testing::bus bus;
  std::vector<std::shared_ptr<flaky_transport>> all{std::make_shared<flaky_transport>()};
  REQUIRE(bus.attach_mirror("copy", ">", all.back()));
  for (int i = 0; i < 500; ++i) {
    bus.hold(i % 7 != 0);
    if (i % 50 == 49) {
      all.push_back(std::make_shared<flaky_transport>());
      REQUIRE(bus.swap_mirror("copy", all.back()));
    }
    REQUIRE(publish_lesson(bus, "k" + std::to_string(i)));
  }
  bus.hold(false);
  bus.advance(1s);
  std::size_t sent = 0;
  for (const auto& one : all)
    sent += one->sent.size();
  CHECK(sent == 500);
  check_books(bus);
}

TEST_CASE(
    "the log transport writes CloudEvents, and a log that cannot be written pauses the mirror") {
  testing::bus bus;
  std::vector<std::string> lines;
  bool full = false;
  REQUIRE(bus.attach_mirror("log", ">", std::make_shared<log_transport>([&](std::string_view line) {
                              if (full)
                                return false;
                              lines.emplace_back(line);
                              return true;
                            })));
  REQUIRE(publish_lesson(bus, "42", "Quantum"));
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().find("\"specversion\":\"1.0\"") != std::string::npos);
  CHECK(lines.front().find("\"type\":\"lesson.published\"") != std::string::npos);
  full = true;
  REQUIRE(publish_lesson(bus, "43"));
  CHECK(bus.subscriptions().front().state == "unavailable");
  full = false;
  bus.advance(10s);
  CHECK(lines.size() == 2);
  check_books(bus);
}
