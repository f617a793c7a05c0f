// Whole nodes with real sockets on loopback, in one process.

#include "kinds.capnp.h"
#include "lesson.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/events.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_dir.hpp"
#include <algorithm>
#include <atomic>
#include <ctime>
#include <edupulse/node.hpp>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

node_options options_of(std::string name, std::vector<std::string> join = {}) {
  node_options how;
  how.name = std::move(name);
  how.cluster.listen = "127.0.0.1:0";
  how.cluster.join = std::move(join);
  how.cluster.profile = network_profile::local;
  if (std::getenv("EDUPULSE_LOG"))
    how.log = log_level::debug;
  return how;
}

std::size_t alive(const node& who) {
  std::size_t count = 0;
  for (const auto& one : who.members())
    count += one.state == member_state::alive && (one.self || one.connected);
  return count;
}

/// Certificates for the real clock, which nodes go by.
class school {
public:
  explicit school(std::int64_t list_days = 30)
      : ca_("test authority", from_today({})), list_days_(list_days) {}
  node_options options_of(const std::string& name, std::vector<std::string> join = {}) {
    places_.push_back(std::make_unique<node_place>(ca_, ca_.issue(from_today(node_form(name)))));
    places_.back()->put("ca.crl", ca_.revoke({}, now() - one_day, now() + list_days_ * one_day));
    auto how = ::options_of(name, std::move(join));
    how.cluster.name = "school";
    how.cluster.tls = places_.back()->file("node.crt").parent_path();
    return how;
  }

private:
  static std::int64_t now() { return static_cast<std::int64_t>(std::time(nullptr)); }
  static certificate_form from_today(certificate_form form) {
    form.not_before = now() - one_day;
    form.not_after = now() + 30 * one_day;
    return form;
  }
  authority ca_;
  std::int64_t list_days_;
  std::vector<std::unique_ptr<node_place>> places_;
};

} // namespace

TEST_CASE("G22: an event published on one node is handled on the other") {
  std::atomic<int> handled{0};
  auto a = node::start(options_of("a")).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  eventually([&] { return alive(a) == 2 && alive(b) == 2; });
  REQUIRE(b.subscribe<LessonPublished>("indexer", [&](auto lesson, const event_info&) {
    if (lesson.getTitle() == "Quantum")
      ++handled;
  }));
  REQUIRE(a.ready("lesson.published", 1, 5s));
  auto given = a.publish<LessonPublished>(
      [](auto lesson) {
        lesson.setLessonId("l1");
        lesson.setTitle("Quantum");
      },
      {.track = true});
  REQUIRE(given);
  const auto status = given->wait(5s);
  REQUIRE(status);
  CHECK(status->handled == 1);
  CHECK(handled == 1);
}

TEST_CASE("G29: another node has an event at the level of its schema, or of its publish") {
  using namespace kinds::inner;
  using enum delivery_level;
  std::mutex guard;
  std::vector<delivery_level> seen;
  auto a = node::start(options_of("a")).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  REQUIRE(b.subscribe("kinds.*", "watch", [&](const envelope& event) {
    std::lock_guard lock(guard);
    seen.push_back(event.level());
  }));
  REQUIRE(a.ready("kinds.measured", 1, 5s));
  publish_options says{.key = "k"}; // one key: in the order of publishing
  REQUIRE(a.publish<Measured>([](auto) {}, says));
  REQUIRE(a.publish<Counted>([](auto) {}, says));
  says.level = best_effort;
  REQUIRE(a.publish<Counted>([](auto) {}, says));
  says.level = acknowledged;
  says.track = true;
  auto last = a.publish<Measured>([](auto) {}, says);
  REQUIRE(last);
  REQUIRE(last->wait(5s));
  std::lock_guard lock(guard);
  CHECK(seen == std::vector{best_effort, acknowledged, best_effort, acknowledged});
}

TEST_CASE("G29: only what is best effort does not wait for a full subscription of another node") {
  using namespace kinds::inner;
  std::atomic<std::uint64_t> acknowledged{0};
  auto a = node::start(options_of("a")).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  subscription_options small;
  small.backlog_events = 16;
  small.overload = overload_policy::wait;
  auto full = b.subscribe(
      "kinds.*", "full",
      [&](const envelope& event) {
        acknowledged += event.level() == delivery_level::acknowledged ? 1 : 0;
      },
      small);
  REQUIRE(full);
  REQUIRE(a.ready("kinds.measured", 1, 5s));
  REQUIRE(full->pause());
  publish_options says;
  says.level = delivery_level::acknowledged;
  says.deadline = 0s;         // no stall is waited for
  std::uint64_t admitted = 0; // others are refused: back pressure
  for (int i = 0; i < 40; ++i) {
    REQUIRE(a.publish<Measured>([](auto) {}));
    admitted += a.publish<Measured>([](auto) {}, says) ? 1 : 0;
  }
  REQUIRE(full->resume());
  const auto line = [&] { return a.ledger().of_subscription("full@b"); };
  eventually([&] { return line().published == 40 + admitted && line().pending == 0; });
  CHECK(admitted > 0);
  CHECK(acknowledged == admitted);
  CHECK(line().dropped_for(drop_reason::best_effort_full) > 0);
  CHECK(line().handled + line().dropped_for(drop_reason::best_effort_full) == 40 + admitted);
}

TEST_CASE("G28: members() says how many bytes of events are kept for each of them") {
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  auto a = node::start(options_of("a")).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  REQUIRE(
      b.subscribe<LessonPublished>("reader", [=](auto, const event_info&) { may_go_on.wait(); }));
  REQUIRE(a.ready("lesson.published", 1, 5s));
  const auto kept = [&] {
    const auto all = a.members();
    return all.size() == 2 && all[0].kept_bytes == 0 ? all[1].kept_bytes : 0;
  };
  CHECK(kept() == 0);
  for (int i = 0; i < 100; ++i)
    REQUIRE(a.publish<LessonPublished>([](auto lesson) { lesson.setLessonId("l1"); }));
  eventually([&] { return kept() > 100 * 100; });
  go_on.set_value();
  eventually([&] { return kept() == 0; });
}

TEST_CASE("G80: who comes and goes is published on the local bus, and nowhere else") {
  std::mutex guard;
  std::vector<std::string> seen;
  auto watch = [&](auto member, const event_info& info) {
    std::lock_guard lock(guard);
    seen.push_back(std::string(info.topic()) + " " + member.getName().cStr());
  };
  const auto has = [&](const std::string& line) {
    std::lock_guard lock(guard);
    return std::count(seen.begin(), seen.end(), line) == 1;
  };
  auto a = node::start(options_of("a")).value();
  REQUIRE(a.subscribe<MemberChanged>("watch", watch));
  {
    auto b = node::start(options_of("b", {a.address()})).value();
    eventually([&] { return has("$cluster.member.joined b"); });
    b.stop();
  }
  eventually([&] { return has("$cluster.member.left b"); });
  CHECK_FALSE(has("$cluster.member.joined a"));
  auto refused = a.publish<MemberChanged>([](auto) {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_topic);
}

TEST_CASE("G20, G82: the stop of a node whose id runs elsewhere waits for nobody who is not told "
          "anything more") {
  scratch_dir home;
  scratch_dir copy;
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  auto how = options_of("a");
  how.data_dir = home.path();
  auto a = node::start(how).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  REQUIRE(
      b.subscribe<LessonPublished>("reader", [=](auto, const event_info&) { may_go_on.wait(); }));
  REQUIRE(a.ready("lesson.published", 1, 30s));
  REQUIRE(a.publish<LessonPublished>([](auto) {}));
  std::filesystem::copy_file(home / "node-identity", copy / "node-identity");
  how = options_of("a", {a.address()});
  how.data_dir = copy.path();
  const auto later = node::start(how).value();
  eventually([&] {
    const auto sent = a.publish<LessonPublished>([](auto) {});
    return !sent && sent.error().code == errc::fenced;
  });
  const auto report = a.stop(1h); // or the test's own time is over
  CHECK_FALSE(report.drained);
  CHECK(report.dropped > 0);
  go_on.set_value();
}

TEST_CASE("G82: a node whose id was started again elsewhere publishes nothing more, and says so") {
  std::mutex guard;
  std::vector<std::string> seen;
  scratch_dir home;
  scratch_dir copy;
  auto how = options_of("a");
  how.data_dir = home.path();
  auto a = node::start(how).value();
  REQUIRE(a.subscribe<MemberChanged>("watch", [&](auto member, const event_info& info) {
    std::lock_guard lock(guard);
    if (member.getName() != "a")
      return;
    seen.push_back(std::string(info.topic()) + " " + member.getNodeId().cStr() + " " +
                   member.getText().cStr());
  }));
  REQUIRE(a.publish<LessonPublished>([](auto) {}));
  std::filesystem::copy_file(home / "node-identity", copy / "node-identity");
  const auto b = node::start(options_of("b", {a.address()})).value();
  eventually([&] { return alive(a) == 2 && alive(b) == 2; });
  const bool through_another = GENERATE(false, true);
  how = options_of("a", {through_another ? b.address() : a.address()});
  how.data_dir = copy.path();
  const auto later = node::start(how).value();
  REQUIRE(later.id() == a.id());
  expected<receipt> given;
  eventually([&] { return !(given = a.publish<LessonPublished>([](auto) {})); });
  CHECK(to_string(given.error().code) == "fenced");
  for (const auto& part : {std::string("epoch 2"), later.address()})
    CHECK(given.error().text.find(part) != std::string::npos);
  CHECK(a.members().front().self);
  CHECK(a.members().front().state == member_state::left);
  eventually([&] {
    std::lock_guard lock(guard);
    return !seen.empty();
  });
  CHECK(seen.front().find("$cluster.member.replaced " + to_string(a.id())) == 0);
  CHECK(seen.front().find("epoch 2") != std::string::npos);
  auto stopped = std::async(std::launch::async, [&] { return a.stop(); });
  CHECK(stopped.wait_for(2500ms) == std::future_status::ready); // it says goodbye to nobody
  CHECK(stopped.get().drained);
}

TEST_CASE(
    "G81: nodes with certificates form a cluster, and one of another authority stays outside") {
  school good;
  school other;
  std::atomic<int> handled{0};
  auto a = node::start(good.options_of("a")).value();
  auto b = node::start(good.options_of("b", {a.address()})).value();
  auto c = node::start(other.options_of("c", {a.address()})).value();
  REQUIRE(b.subscribe<LessonPublished>("indexer", [&](auto, const event_info&) { ++handled; }));
  REQUIRE(c.subscribe<LessonPublished>("spy", [&](auto, const event_info&) { handled += 1000; }));
  REQUIRE(a.ready("lesson.published", 1, 10s));
  for (int i = 0; i < 100; ++i)
    REQUIRE(a.publish<LessonPublished>([](auto lesson) { lesson.setLessonId("l1"); }));
  eventually([&] { return handled == 100; });
  CHECK(a.members().size() == 2);
  CHECK(c.members().size() == 1);
  REQUIRE(a.reload_certificates());
  CHECK(alive(a) == 2);
}

TEST_CASE("G81: other machines are not spoken to without TLS unless that is asked for") {
  auto how = options_of("a");
  how.cluster.listen = "0.0.0.0:0";
  how.cluster.advertise = "127.0.0.1:0";
  const auto refused = node::start(how);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_option);
  CHECK(refused.error().text.find("cluster.tls") != std::string::npos);
  std::vector<std::string> lines;
  how.cluster.insecure_plaintext = true;
  how.log = log_level::error; // it is said all the same
  how.log_sink = [&](log_level, std::string_view text) { lines.emplace_back(text); };
  REQUIRE(node::start(how));
  CHECK(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find("insecure_plaintext") != std::string::npos;
  }));
}

TEST_CASE(
    "G68: what expires within a week is warned of, and a node that has stopped reads nothing") {
  std::mutex guard;
  std::string lines;
  const auto start = [&](std::int64_t list_days) {
    school with(list_days);
    auto how = with.options_of("a");
    how.log_sink = [&](log_level, std::string_view text) {
      std::lock_guard lock(guard);
      lines += text;
    };
    auto made = node::start(how).value();
    CHECK(made.members().size() == 1); // the wire has answered: it is open
    made.stop();
    const auto refused = made.reload_certificates();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::refused);
  };
  start(30);
  CHECK(lines.find("expires in") == std::string::npos);
  start(3);
  CHECK(lines.find("expires in 7") != std::string::npos); // 71 or 72 hours
}

TEST_CASE("what cannot be in the options of a cluster is said with the option's name") {
  const auto said = [](node_options how) {
    const auto started = node::start(std::move(how));
    REQUIRE_FALSE(started);
    return started.error().text;
  };
  auto how = options_of("a");
  how.cluster.listen = "nowhere";
  CHECK(said(how).find("`cluster.listen`") != std::string::npos);
  how = options_of("a", {"127.0.0.1"});
  CHECK(said(how).find("`cluster.join`") != std::string::npos);
  how = options_of("a", {"127.0.0.1:1"});
  how.cluster.listen.clear();
  CHECK(said(how).find("`cluster.listen`") != std::string::npos);
  how = options_of("a");
  how.cluster.name = "two words";
  CHECK(said(how).find("`cluster.name`") != std::string::npos);
  how = options_of("a");
  how.cluster.unreachable_after = duration::max();
  CHECK(said(how).find("`cluster.unreachable_after`") != std::string::npos);
  how = options_of("a");
  how.cluster.peer_budget = 1000;
  CHECK(said(how).find("`cluster.peer_budget` is 1000 bytes") != std::string::npos);
  how.cluster.peer_budget = how.cluster.budget + 1;
  CHECK(said(how).find("`cluster.budget`") != std::string::npos);
  how.cluster.budget = 0;
  CHECK(said(how).find("`cluster.budget` is 0 bytes") != std::string::npos);
  how = options_of("a");
  how.cluster.insecure_plaintext = true;
  how.cluster.listen = "0.0.0.0:0";
  CHECK(said(how).find("`cluster.advertise`") != std::string::npos);
}

namespace {

/// Three nodes that know each other, each with a reader.
struct three_nodes {
  three_nodes() {
    all.push_back(node::start(options_of("a")).value());
    for (const auto* name : {"b", "c"})
      all.push_back(node::start(options_of(name, {all[0].address()})).value());
    for (auto& one : all)
      REQUIRE(one.subscribe<LessonPublished>("reader", [](auto, const event_info&) {}));
    for (auto& one : all)
      REQUIRE(one.ready("lesson.published", 3, 30s));
  }
  std::vector<node> all;
};

} // namespace

TEST_CASE("G44: every node of a cluster can say what became of all that was published in it") {
  three_nodes of;
  for (auto& one : of.all)
    for (int i = 0; i < 10; ++i)
      REQUIRE(one.publish<LessonPublished>([](auto lesson) { lesson.setLessonId("l1"); }));
  for (auto& one : of.all) {
    cluster_ledger whole;
    eventually([&] {
      whole = one.cluster_ledger(5s).value();
      return whole.silent.empty() && whole.sum.of_subscription("reader@c").handled == 30 &&
             whole.sum.total().pending == 0;
    });
    CHECK(whole.nodes == std::vector<std::string>{"a", "b", "c"});
    CHECK(whole.sum.balances());
    for (const auto* name : {"reader@a", "reader@b", "reader@c"})
      CHECK(whole.sum.of_subscription(name).handled == 30);
  }
}

TEST_CASE("G44: a node that is alone answers for itself, and a stopped one says so") {
  auto alone = node::start({.name = "alone"}).value();
  REQUIRE(alone.subscribe<LessonPublished>("reader", [](auto, const event_info&) {}));
  auto given = alone.publish<LessonPublished>([](auto) {}, {.track = true});
  REQUIRE(given->wait(5s));
  const auto whole = alone.cluster_ledger(5s).value();
  CHECK(whole.nodes == std::vector<std::string>{"alone"});
  CHECK(whole.sum.of_subscription("reader@alone").handled == 1);
  CHECK(whole.sum.balances());
  alone.stop();
  CHECK(alone.cluster_ledger(5s).error().code == errc::stopping);
}

TEST_CASE(
    "G45: every node lists the subscriptions of the cluster, and the topics of all on asking") {
  three_nodes of;
  subscription_options shared;
  shared.group = "indexers";
  REQUIRE(of.all[1].subscribe(
      "lesson.*", "search", [](const envelope&) {}, shared));
  REQUIRE(of.all[2].subscribe("$cluster.member.replaced", "watch", [](const envelope&) {}));
  REQUIRE(of.all[1].publish<LessonPublished>([](auto lesson) { lesson.setLessonId("l1"); }));
  REQUIRE(of.all[2].publish<StudentEnrolled>([](auto) {}));
  const auto list = [](const node& who) {
    std::vector<std::string> all;
    for (const auto& one : who.cluster_subscriptions())
      all.push_back(one.name + "@" + one.node + " " + one.filter + " " + one.group);
    return all;
  };
  const std::vector<std::string> known{
      "reader@a lesson.published(.>) ", "reader@b lesson.published(.>) ",
      "search@b lesson.* indexers", "reader@c lesson.published(.>) "};
  eventually([&] { return list(of.all[0]) == known && list(of.all[1]) == known; });
  CHECK(list(of.all[2]).back() == "watch@c $cluster.member.replaced ");
  cluster_topics found;
  eventually([&] {
    found = of.all[0].cluster_topics(5s).value();
    return found.silent.empty() && found.topics.size() >= 2;
  });
  CHECK(found.nodes == std::vector<std::string>{"a", "b", "c"});
  REQUIRE(found.topics.size() == 2); // who has joined is told, and nobody has asked for it
  CHECK(found.topics[0].topic == "lesson.published");
  CHECK(found.topics[0].published == 1);
  CHECK(found.topics[0].subscriptions == 4);
  CHECK(found.topics[1].topic == "student.enrolled");
  CHECK(found.topics[1].no_subscriber == 1);
  CHECK(found.topics[1].subscriptions == 0);
  std::vector<topic_status> sent; // to a, which has published nothing itself
  eventually([&] { return !(sent = of.all[0].topics()).empty(); });
  CHECK(sent.size() == 1);
  CHECK(sent[0].topic == "lesson.published");
  CHECK(sent[0].published == 0);
  of.all[0].stop();
  CHECK(of.all[0].cluster_topics(5s).error().code == errc::stopping);
}

namespace {

/// Events that arrive, as a handler sees them.
struct seen_event {
  std::string id;
  std::map<std::string, std::string> meta;
};
class seen_events {
public:
  void add(const event_info& info) {
    std::lock_guard lock(guard_);
    auto& one = all_.emplace_back();
    one.id = to_string(info.id());
    for (std::size_t i = 0; i < info.event().meta_count(); ++i)
      one.meta.emplace(info.event().meta_at(i));
  }
  seen_event only() {
    eventually([&] {
      std::lock_guard lock(guard_);
      return !all_.empty();
    });
    std::lock_guard lock(guard_);
    REQUIRE(all_.size() == 1);
    return all_.front();
  }

private:
  std::mutex guard_;
  std::vector<seen_event> all_;
};

} // namespace

TEST_CASE("G15: cause, correlation, tenant and trace go with what handlers publish, from node to "
          "node to node") {
  std::map<std::string, std::string> carried{
      {"tenant", "north"},
      {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
      {"tracestate", "vendor=t61rcWkgMzE"}};
  SECTION("the publisher has given a correlation") { carried["correlation-id"] = "request-7"; }
  SECTION("the first event is the correlation") {}
  seen_events second;
  seen_events third;
  std::atomic<int> refused{0};
  auto a = node::start(options_of("a")).value();
  auto b = node::start(options_of("b", {a.address()})).value();
  auto c = node::start(options_of("c", {a.address()})).value();
  REQUIRE(b.subscribe<LessonPublished>("enroller", [&](auto, context& ctx) {
    refused += !ctx.template publish<StudentEnrolled>([](auto) {});
  }));
  REQUIRE(c.subscribe<StudentEnrolled>("examiner", [&](auto, context& ctx) {
    second.add(ctx);
    refused += !ctx.template publish<QuizSubmitted>([](auto) {});
  }));
  REQUIRE(
      a.subscribe<QuizSubmitted>("reader", [&](auto, const event_info& info) { third.add(info); }));
  REQUIRE(a.ready("lesson.published", 1, 30s));
  REQUIRE(b.ready("student.enrolled", 1, 30s));
  REQUIRE(c.ready("quiz.submitted", 1, 30s));
  publish_options options;
  options.meta.assign(carried.begin(), carried.end());
  const auto first = a.publish<LessonPublished>([](auto) {}, options).value();
  carried.try_emplace("correlation-id", to_string(first.id()));
  carried["causation-id"] = to_string(first.id());
  CHECK(second.only().meta == carried);
  carried["causation-id"] = second.only().id;
  CHECK(third.only().meta == carried);
  CHECK(refused == 0);
}

TEST_CASE("G20: a node may be asked, on any thread, while it stops") {
  school certified;
  for (int round = 0; round < 10; ++round) {
    auto a = node::start(certified.options_of("a")).value();
    std::atomic<bool> over{false};
    std::atomic<int> asking{0};
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i)
      all.emplace_back([&] {
        for (++asking; !over;) {
          static_cast<void>(a.members());
          static_cast<void>(a.counters());
          static_cast<void>(a.reload_certificates());
        }
      });
    eventually([&] { return asking == 4; });
    a.stop(0s);
    over = true;
    for (auto& one : all)
      one.join();
    CHECK(a.reload_certificates().error().code == errc::refused);
  }
}

TEST_CASE("G20: a node that stops has told the others what it has handled") {
  auto a = node::start(options_of("a")).value();
  for (int i = 0; i < 20; ++i) {
    auto b = node::start(options_of("b" + std::to_string(i), {a.address()})).value();
    std::promise<void> called;
    REQUIRE(b.subscribe<LessonPublished>("reader",
                                         [&](auto, const event_info&) { called.set_value(); }));
    REQUIRE(a.ready("lesson.published", 1, 30s));
    const auto given = a.publish<LessonPublished>([](auto) {}, {.track = true}).value();
    called.get_future().wait();
    REQUIRE(b.stop().drained);
    REQUIRE(given.wait(5s));
    CHECK(given.status()->handled == 1);
  }
}
