// Receipts that say who: a desk with one subscription here and one on another node.

#include "actors/desk.hpp"
#include "actors/interest.hpp"
#include "actors/tracker.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/idle_hands.hpp"

using namespace edupulse;
using namespace edupulse::test;

TEST_CASE("G43: a receipt names the subscriptions that ended the event, here and on other nodes, "
          "even those that are gone") {
  const time_point now{std::chrono::hours(1)};
  idle_hands hands;
  desk at({.node_name = "api-1"}, hands);
  const auto interest = encode({1, {{7, "indexer", *topic_filter::parse("lesson.>")}}, {}});
  at.command("join", "", now, [&](router& core, effect_list& out) {
    const auto here = core.subscribe("reader", *topic_filter::parse("lesson.>"), {}, now, out);
    const auto peer = core.add_peer("api-2", {}, now, out).value();
    core.on_session(peer, now, out);
    core.on_control(peer, link_resume{}, now, out);
    core.on_control(peer, link_numbered{1, interest}, now, out);
    return here.value() + peer;
  });
  auto event = make_event();
  auto* tracked = new receipt_tracker; // one reference here, one for the envelope
  tracked->retain();
  envelope_writer::set_travel(event, delivery_level::acknowledged, time_point::max(), tracked,
                              receipt_tracker::release_tracker);
  inbox::contents arrived;
  auto events = std::make_shared<chunk>();
  events->entries.push_back(make_entry(std::move(event)));
  arrived.events.push_back(std::move(events));
  at.on_contents(arrived, now);
  CHECK(tracked->status().owed == 2);
  CHECK(tracked->status().by.empty());
  at.command("leave", "", now, [&](router& core, effect_list& out) {
    core.on_peer_dead(0, now, out);
    core.on_wake(now + std::chrono::seconds(61), out);
    return core.unsubscribe(0, now, out).has_value();
  });
  const auto status = tracked->status();
  CHECK(status.complete());
  CHECK(status.by ==
        std::vector<concluded_by>{{"indexer@api-2", fate::dead}, {"reader@api-1", fate::dropped}});
  tracked->release();
}

TEST_CASE("G43: a receipt names 64 subscriptions and counts all") {
  auto* tracked = new receipt_tracker;
  tracked->routed(100);
  for (int i = 0; i < 100; ++i)
    tracked->concluded(fate::handled, "reader@n" + std::to_string(i));
  CHECK(tracked->status().by.size() == 64);
  CHECK(tracked->status().handled == 100);
  CHECK(tracked->status().complete());
  tracked->release();
}
