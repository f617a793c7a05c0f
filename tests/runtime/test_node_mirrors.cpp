// Mirrors of a node that runs; test_mirrors.cpp has what they promise in virtual time.

#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include <algorithm>
#include <atomic>
#include <edupulse/node.hpp>
#include <future>
#include <iterator>
#include <mutex>
#include <vector>

using namespace edupulse;
using namespace edupulse::test;

namespace {

/// Is at its best with three, and confirms them when it is told to.
class narrow_transport final : public transport {
public:
  std::string_view name() const noexcept override { return "narrow"; }
  std::uint32_t window() const noexcept override { return 3; }
  void publish(std::vector<outbound_event> batch) override {
    std::lock_guard guard(mutex_);
    std::ranges::move(batch, std::back_inserter(held_));
    most_ = std::max(most_, held_.size());
  }
  void confirm() {
    std::lock_guard guard(mutex_);
    for (auto& one : held_)
      one.done.complete(outcome::ok());
    held_.clear();
  }
  std::size_t most() {
    std::lock_guard guard(mutex_);
    return most_;
  }

private:
  std::mutex mutex_;
  std::vector<outbound_event> held_;
  std::size_t most_ = 0;
};

/// Is there, and takes nothing while it is full.
class full_transport final : public transport {
public:
  std::string_view name() const noexcept override { return "full"; }
  void publish(std::vector<outbound_event> batch) override {
    for (auto& one : batch)
      one.done.complete(is_full ? outcome::unavailable("the stream is full") : outcome::ok());
  }
  std::atomic<bool> is_full = true;
};

/// Its end takes until it is let go.
class clinging_transport final : public transport {
public:
  explicit clinging_transport(std::shared_future<void> let_go) : let_go_(std::move(let_go)) {}
  ~clinging_transport() override { let_go_.wait(); }
  std::string_view name() const noexcept override { return "clinging"; }
  void publish(std::vector<outbound_event> batch) override {
    for (auto& one : batch)
      one.done.complete(outcome::ok());
  }

private:
  const std::shared_future<void> let_go_;
};

} // namespace

TEST_CASE("G115: a transport whose end takes long holds up nobody, swapped or detached") {
  std::promise<void> let_go;
  const auto released = let_go.get_future().share();
  auto at = start_quiet();
  std::atomic<int> handled = 0;
  REQUIRE(at.subscribe<LessonPublished>("watch", [&](auto) { ++handled; }));
  const auto goes_on = [&] {
    const int before = handled;
    REQUIRE(publish_lesson(at, "k"));
    eventually([&] { return handled > before && at.mirrors().size() < 2; });
  };
  REQUIRE(at.attach_mirror("copy", ">", std::make_shared<clinging_transport>(released)));
  goes_on();
  REQUIRE(at.swap_mirror("copy", std::make_shared<clinging_transport>(released)));
  goes_on();
  REQUIRE(at.detach_mirror("copy"));
  CHECK(at.mirrors().empty());
  goes_on();
  let_go.set_value(); // the stop waits for it
}

TEST_CASE("G23: a mirror that is given no options has the window that its transport wants") {
  const auto to = std::make_shared<narrow_transport>();
  auto at = start_quiet();
  REQUIRE(at.attach_mirror("copy", ">", to));
  for (int i = 0; i < 200; ++i)
    REQUIRE(publish_lesson(at, "k" + std::to_string(i)));
  eventually([&] {
    to->confirm();
    return at.mirrors().front().lag == 0;
  });
  CHECK(to->most() <= 3);
}

TEST_CASE("G23: a mirror whose transport is there and takes nothing says why") {
  const auto to = std::make_shared<full_transport>();
  auto at = start_quiet();
  REQUIRE(at.attach_mirror("copy", ">", to));
  REQUIRE(publish_lesson(at, "k"));
  eventually([&] { return at.mirrors().front().state == "unavailable"; });
  CHECK(at.mirrors().front().health.why == "the stream is full");
  to->is_full = false;
  eventually([&] { return at.mirrors().front().lag == 0; });
  CHECK(at.mirrors().front().health.why.empty());
}
