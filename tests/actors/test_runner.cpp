// A handler's side by itself.

#include "actors/runner.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"

using namespace edupulse;
using namespace edupulse::test;

namespace {

/// Is told to stop while it handles its first event.
struct stopped_at_work final : handler {
  explicit stopped_at_work(handler_control& control) : control_(control) {}
  outcome handle(const envelope&, context&) override {
    control_.revoked = true;
    return outcome::ok();
  }
  handler_control& control_;
};

} // namespace

TEST_CASE("G19: a handler that is stopped in the middle of a batch begins no other event of it") {
  const auto control = std::make_shared<handler_control>();
  const auto around = std::make_shared<runner_surroundings>();
  around->make = [&] { return std::make_unique<stopped_at_work>(*control); };
  runner life(around, control);
  REQUIRE_FALSE(life.start());
  auto events = std::make_shared<chunk>();
  for (int i = 0; i < 3; ++i)
    events->entries.push_back(make_entry(make_event()));
  batch work(0, 0, 1);
  work.fresh = {events, 0, 3, 1};
  CHECK(life.run(work) == runner::ending::revoked);
  CHECK(work.progress() == batch::progress_mark{1, false});
}
