#include "tests/mirrors/source_cases.hpp"

#include "tests/mirrors/mirrored.hpp"
#include "tests/support/tcp_proxy.hpp"
#include <mutex>
#include <set>

namespace edupulse::test {

namespace {

/// A group that nobody has used: tests may share a server.
std::string new_group() {
  static int last = 0;
  return "&group=readers" + std::to_string(++last);
}

/// A node whose source `in` reads at a broker, and what its handler saw.
class sourced {
public:
  explicit sourced(const std::string& url, subscription_options how = {},
                   type_lookup types = types_of<LessonPublished>()) {
    REQUIRE(node_.subscribe<LessonPublished>(
        "watch", [this](LessonPublished::Reader lesson, context& ctx) { return see(lesson, ctx); },
        std::move(how)));
    REQUIRE(node_.attach_source("in", open_source(url, std::move(types)).value()));
  }

  node* operator->() noexcept { return &node_; }
  source_status status() const { return node_.sources().front(); }
  void await_up() const {
    eventually([&] { return status().health.is == transport_health::state::up; });
  }
  std::vector<seen_event> seen() const {
    std::lock_guard guard(mutex_);
    return seen_;
  }
  std::size_t ids() const {
    std::set<std::string> all;
    for (const auto& one : seen())
      all.insert(one.id);
    return all.size();
  }
  /// From now on answers are kept back.
  void hold(bool yes) {
    std::lock_guard guard(mutex_);
    holds_ = yes;
    if (!yes)
      deferral::complete_all(held_, outcome::ok());
  }

private:
  outcome see(LessonPublished::Reader lesson, context& ctx) {
    std::lock_guard guard(mutex_);
    seen_.push_back({to_string(ctx.id()), std::string(ctx.key()),
                     std::stoi(std::string(lesson.getTitle().cStr()))});
    if (!holds_)
      return outcome::ok();
    held_.push_back(ctx.defer());
    return outcome::deferred();
  }

  mutable std::mutex mutex_;
  std::vector<seen_event> seen_;
  std::vector<deferral> held_;
  bool holds_ = false;
  node node_ = start_quiet();
};

void await_all(const sourced& there, const mirrored& here) {
  while (there.ids() < static_cast<std::size_t>(here.published()))
    rest(std::chrono::milliseconds(5));
  check_is_complete(there.seen(), here.published());
}

/// None of the messages that were read is left at the broker.
void check_all_acknowledged(const sourced& there) {
  eventually([&] { return there.status().waiting == 0; });
  CHECK(there.status().acknowledged == there.status().received);
}

} // namespace

void source_gets_what_a_mirror_wrote(broker& at) {
  at.start();
  const auto url = at.source_url(at.port(), new_group());
  mirrored here(at.url(), at.pace());
  {
    sourced there(url);
    there.await_up();
    here.publish(2000);
    await_all(there, here);
    check_order(there.seen());
    check_all_acknowledged(there);
    CHECK(there.status().published == 2000);
    CHECK(there->dead_letters().value().empty());
  }
  sourced next(url);
  next.await_up();
  here.publish(1);
  eventually([&] { return next.ids() > 0; });
  CHECK(next.seen().front().number == 20); // the 2001st event, and none that came before
}

void source_goes_on_after_a_kill(broker& at) {
  at.start();
  sourced there(at.source_url(at.port(), new_group()));
  there.await_up();
  mirrored here(at.url(), at.pace());
  here.publish_for(500ms);
  at.kill();
  here.publish_for(500ms);
  eventually([&] { return there.status().health.is == transport_health::state::down; });
  rest(at.forgets_readers_after());
  at.start();
  here.publish_for(500ms);
  here.drain();
  await_all(there, here);
  if (at.redelivers_in_order())
    check_order(there.seen());
}

void source_goes_on_after_resets(broker& at) {
  at.start();
  tcp_proxy network(at.port());
  sourced there(at.source_url(network.port(), new_group()));
  there.await_up();
  mirrored here(at.url(), at.pace());
  for (int i = 0; i < 5; ++i) {
    const auto so_far = network.connections();
    here.publish_for(150ms);
    network.reset_all();
    eventually([&] { return network.connections() > so_far; });
  }
  here.drain();
  await_all(there, here);
  if (at.redelivers_in_order())
    check_order(there.seen());
  CHECK(network.connections() >= 6);
}

void source_is_refused(broker& at) {
  at.start();
  sourced there(at.url_of_stranger());
  eventually([&] { return there.status().health.is == transport_health::state::down; });
  CHECK_THAT(there.status().health.why, Catch::Matchers::Contains(at.refusal()));
}

void source_buries_what_it_cannot_read(broker& at) {
  at.start();
  std::atomic<bool> is_known = false;
  sourced there(at.source_url(at.port(), new_group()), {}, [&](std::string_view name) {
    return is_known ? types_of<LessonPublished>()(name) : nullptr;
  });
  there.await_up();
  mirrored here(at.url(), at.pace());
  here.publish(20);
  eventually([&] { return there->dead_letters().value().size() == 20; });
  check_all_acknowledged(there);
  CHECK_THAT(there->dead_letters().value().front().reason,
             Catch::Matchers::Contains("lesson.published"));
  is_known = true;
  CHECK(there->redrive_all("in").value() == 20);
  await_all(there, here);
}

void source_that_ends_leaves_its_messages(broker& at) {
  at.start();
  const auto url = at.source_url(at.port(), new_group() + "&acknowledge=concluded");
  mirrored here(at.url(), at.pace());
  std::set<std::string> first;
  {
    sourced there(url, {.concurrency = 4});
    there.await_up();
    there.hold(true);
    here.publish(100);
    eventually([&] { return there.ids() == 100; });
    for (const auto& one : there.seen())
      first.insert(one.id);
    CHECK(there.status().acknowledged == 0);
    REQUIRE(there->detach_source("in"));
    there.hold(false);
  }
  sourced next(url);
  await_all(next, here);
  for (const auto& one : next.seen())
    CHECK(first.contains(one.id));
  check_all_acknowledged(next);
}

void sources_of_a_group_share(broker& at) {
  at.start();
  const auto url = at.source_url(at.port(), new_group());
  sourced one(url + at.member("a"));
  sourced other(url + at.member("b"));
  one.await_up();
  other.await_up();
  mirrored here(at.url(), at.pace());
  // Who gets what is the broker's to say, and Kafka's takes a while.
  while (one.ids() == 0 || other.ids() == 0) {
    here.publish(100);
    rest(20ms);
  }
  here.drain();
  eventually([&] {
    auto all = one.seen();
    const auto more = other.seen();
    all.insert(all.end(), more.begin(), more.end());
    std::set<std::string> ids;
    for (const auto& seen : all)
      ids.insert(seen.id);
    return ids.size() == static_cast<std::size_t>(here.published());
  });
}

void source_waits_for_the_bus(broker& at, const waiting_case& how) {
  at.start();
  subscription_options narrow;
  narrow.backlog_events = 16;
  narrow.overload = overload_policy::strict; // or it would be passed by after `stall_after`
  sourced there(at.source_url(at.port(), new_group() + at.few_at_once() + how.settings), narrow);
  there.await_up();
  there.hold(true);
  mirrored here(at.url(), at.pace());
  here.publish(400);
  here.drain();
  rest(how.wait); // it is asked for signs of life meanwhile
  CHECK(there.ids() < 400);
  CHECK(there.status().health.is == transport_health::state::up);
  there.hold(false);
  await_all(there, here);
  check_order(there.seen());
  check_all_acknowledged(there);
}

void source_reads_every_form(broker& at) {
  at.start();
  sourced there(at.source_url(at.port(), new_group()));
  there.await_up();
  mirrored here(at.url(), at.pace());
  for (const auto* form :
       {"cloudevents", "cloudevents-json", "cloudevents-capnp", "flattened", "envelope"}) {
    const auto to = open_transport(at.url(std::string("&format=") + form)).value();
    REQUIRE(here->swap_mirror("copy", to));
    here.publish(50);
    here.drain();
  }
  await_all(there, here);
  check_order(there.seen());

  // In a header that may be a line: NATS' are escaped.
  const std::string key = "an odd\nkey, 100% \u00e9";
  REQUIRE(here->swap_mirror("copy", open_transport(at.url("&format=cloudevents-json")).value()));
  REQUIRE(publish_lesson(*here, key, "0"));
  eventually([&] { return there.seen().back().key == key; });
  CHECK(there->dead_letters().value().empty());
}

void source_leaves_out_echoes(broker& at) {
  at.start();
  sourced there(at.source_url(at.port(), new_group() + "&mark=lyon"));
  there.await_up();
  mirrored here(at.url("&mark=lyon"), at.pace());
  here.publish(30);
  here.drain();
  REQUIRE(here->swap_mirror("copy", open_transport(at.url("&mark=paris")).value()));
  here.publish(1);
  eventually([&] { return there.ids() == 1; });
  CHECK(there.status().echoes == 30);
  check_all_acknowledged(there);
}

} // namespace edupulse::test
