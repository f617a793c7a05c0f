// What the requests of a control socket do.

#include "runtime/control/plugin_desk.hpp"
#include "tests/mirrors/scripted_source.hpp"
#include "tests/support/control_end.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/scratch_dir.hpp"
#include <edupulse/control.hpp>
#include <edupulse/transports.hpp>
#include <sstream>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

/// A node with a control socket and a handler "indexer" that refuses the lessons whose title says
/// so, as long as `refusing`.
struct office {
  explicit office(control_options how = {}) {
    control = std::make_unique<control_socket>(control_socket::open(at, std::move(how)).value());
    static_cast<void>(
        at.subscribe<LessonPublished>("indexer", [this](LessonPublished::Reader lesson) {
            seen.note(text_of(lesson));
            return refusing && lesson.getTitle() == "bad" ? outcome::reject("cannot index it")
                                                          : outcome::ok();
          }).value());
  }
  /// `n` dead letters of lessons "0", "1", ...
  void bury(int n) {
    for (int i = 0; i < n; ++i)
      REQUIRE(publish_lesson(at, std::to_string(i), "bad", {.meta = {{"tenant", "north"}}}));
    eventually([&] { return at.dead_letters().value().size() == static_cast<std::size_t>(n); });
  }
  template <class F> control_answer tell(F fill) const { return ask(control->path(), fill); }

  scratch_dir home;
  node at = start_quiet({.data_dir = home.path()});
  std::atomic<bool> refusing = true;
  journal seen;
  std::unique_ptr<control_socket> control; // ends before the node
};

/// Keeps what it is given, or confirms it.
struct held_transport final : transport {
  std::string_view name() const noexcept override { return "held"; }
  std::string where() const override { return "held://b"; }
  transport_health health() const override { return {transport_health::state::down, "on purpose"}; }
  void publish(std::vector<outbound_event> batch) override {
    for (auto& one : batch)
      if (confirms)
        one.done.complete(outcome::ok());
      else
        held.push_back(std::move(one));
  }
  bool confirms = false;
  std::vector<outbound_event> held;
};

std::string state_of(const office& of, std::string_view name) {
  const auto told = of.tell([](auto request) { request.setSubscriptions(); });
  for (const auto one : (*told).getSubscriptions())
    if (name == one.getName().cStr())
      return one.getState().cStr();
  return "not there";
}

/// A desk that notes what it is asked.
class noting_desk final : public plugin_desk {
public:
  std::vector<plugin_status> list() const override { return {one_}; }
  expected<plugin_status> load(const std::filesystem::path& file,
                               const setting_list& with) override {
    note("load " + file.native(), with);
    return one_;
  }
  expected<swap_report> swap(std::string_view name, const std::filesystem::path& file,
                             const setting_list& with) override {
    note("swap " + std::string(name) + " " + file.native(), with);
    return swap_report{"1", "2", {"old"}, {"new"}, {"stats"}, {"b: large"}, 12ms};
  }
  expected<swap_report> rollback(std::string_view name) override {
    return fail(errc::not_found, "there is nothing to go back to for " + quote(name));
  }
  expected<std::vector<crash_record>> crash_records(std::string_view plugin) const override {
    if (plugin != "search")
      return fail(errc::io, "no disk");
    return std::vector<crash_record>(1);
  }
  std::string noted;

private:
  void note(const std::string& what, const setting_list& with) {
    noted = what;
    for (const auto& [name, value] : with)
      noted += " " + name + "=" + value;
  }
  plugin_status one_{"search", "1.2", "/opt/search.so", "running", {"search.index"}, "1.1"};
};

} // namespace

TEST_CASE("a control socket tells what its node is, and who is with it") {
  const office one;
  const auto told = ask_status(one.control->path());
  const auto status = (*told).getStatus();
  CHECK(status.getName() == "test");
  CHECK(status.getId().cStr() == to_string(one.at.id()));
  CHECK(status.getEpoch() == 1);
  CHECK(status.getPid() == static_cast<std::uint32_t>(::getpid()));
  REQUIRE(status.getMembers().size() == 1);
  CHECK(status.getMembers()[0].getSelf());
  CHECK(status.getMembers()[0].getState() == "alive");
  const auto version = one.tell([](auto request) { request.setVersion(); });
  CHECK((*version).getVersion().getVersion() == status.getVersion());
}

TEST_CASE("a subscription is paused and resumed over the control socket") {
  office one;
  CHECK(state_of(one, "indexer") == "running");
  CHECK((*one.tell([](auto request) { request.setPause("indexer"); })).getDone().getCount() == 1);
  CHECK(state_of(one, "indexer") == "paused");
  CHECK((*one.tell([](auto request) { request.setResume("indexer"); })).isDone());
  CHECK(state_of(one, "indexer") == "running");
  const auto unknown = one.tell([](auto request) { request.setPause("indexxer"); });
  CHECK(unknown.trouble() == "not_found");
  CHECK_THAT(unknown.text(), Contains("indexxer") && Contains("edupulse handler ls"));
}

TEST_CASE("G92: dead letters are listed a page at a time, with why") {
  office one;
  one.bury(3);
  const auto first = one.tell([](auto request) { request.initDeadList().setLimit(2); });
  const auto page = (*first).getDeadLetters();
  REQUIRE(page.size() == 2);
  CHECK(page[0].getSubscription() == "indexer");
  CHECK(page[0].getTopic() == "lesson.published");
  CHECK(page[0].getKey() == "0");
  CHECK(page[0].getReason() == "cannot index it");
  CHECK(page[0].getDiedMs() >= page[0].getOccurredAtMs());
  const auto rest = one.tell([&](auto request) {
    auto list = request.initDeadList();
    list.setLimit(2);
    list.setAfter(page[1].getId());
  });
  REQUIRE((*rest).getDeadLetters().size() == 1);
  CHECK((*rest).getDeadLetters()[0].getKey() == "2");
  const auto none = one.tell([](auto request) {
    auto list = request.initDeadList();
    list.setLimit(2);
    list.setSubscription("another");
  });
  CHECK((*none).getDeadLetters().size() == 0);
}

TEST_CASE("G92: one dead letter is shown with its payload, as JSON where the schema is known") {
  for (const bool known : {false, true}) {
    control_options how;
    if (known)
      how.types = [](std::string_view name) {
        const auto& type = event_traits<LessonPublished>::type();
        return name == type.name ? &type : nullptr;
      };
    office one(std::move(how));
    one.bury(1);
    const auto id = one.at.dead_letters().value().front().id;
    const auto told = one.tell([&](auto request) { request.setDeadShow(id); });
    const auto whole = (*told).getDeadLetter();
    const auto letter = whole.getLetter();
    CHECK(letter.getId() == id);
    REQUIRE(letter.getAttempts().size() == 1);
    CHECK(letter.getAttempts()[0].getText() == "cannot index it");
    REQUIRE(whole.getMeta().size() == 1);
    CHECK(whole.getMeta()[0].getValue() == "north");
    CHECK(whole.getPayloadBytes() > 0);
    CHECK((whole.getPayload().size() == 0) == known);
    CHECK((std::string(whole.getPayloadJson().cStr()).find(R"("title":"bad")") !=
           std::string::npos) == known);
    CHECK(one.tell([&](auto request) { request.setDeadShow(id + 1); }).trouble() == "not_found");
    CHECK(one.tell([&](auto request) { request.setDeadShow(0); }).trouble() == "not_found");
  }
}

TEST_CASE(
    "G92: letters are tried again or thrown away, one or all of a subscription, and counted") {
  office one;
  one.bury(4);
  const auto id = one.at.dead_letters().value().front().id;
  CHECK((*one.tell([&](auto request) { request.initDeadDiscard().setId(id); })).isDone());
  CHECK(one.tell([&](auto request) { request.initDeadDiscard().setId(id); }).trouble() ==
        "not_found");
  one.refusing = false;
  CHECK((*one.tell([&](auto request) { request.initDeadRetry().setId(id + 1); })).isDone());
  eventually([&] { return one.at.dead_letters().value().size() == 2; });
  const auto all = [](auto request) { request.initDeadRetry().setSubscription("indexer"); };
  CHECK((*one.tell(all)).getDone().getCount() == 2);
  eventually([&] { return one.at.dead_letters().value().empty(); });
  CHECK(one.seen.of("3").size() == 2);
  CHECK(one.tell([](auto request) { request.initDeadRetry().setSubscription(""); }).trouble() ==
        "invalid_option");

  REQUIRE(one.at.drain(10s));
  const auto told = one.tell([](auto request) { request.setLedger(); });
  const auto book = (*told).getLedger();
  CHECK(book.getBalances());
  REQUIRE(book.getLines().size() == 1);
  CHECK(book.getLines()[0].getPublished() == 4);
  CHECK(book.getLines()[0].getHandled() == 3);
  CHECK(book.getLines()[0].getDropped() == 1);
}

TEST_CASE("plugins are whoever's who runs them, and a node without any says so") {
  const office none;
  const auto told = none.tell([](auto request) { request.setPluginList(); });
  CHECK(told.trouble() == "refused");
  CHECK(told.text() == "this node takes no plugins");

  noting_desk desk;
  const office one({.plugins = &desk});
  const auto list = one.tell([](auto request) { request.setPluginList(); });
  REQUIRE((*list).getPlugins().size() == 1);
  const auto plugin = (*list).getPlugins()[0];
  CHECK(plugin.getVersion() == "1.2");
  CHECK(plugin.getCanRollBack());
  CHECK(plugin.getHandlers()[0] == "search.index");
  CHECK((*one.tell([](auto request) {
          auto load = request.initPluginLoad();
          load.setFile("/opt/a.so");
          auto setting = load.initSettings(1)[0];
          setting.setName("path");
          setting.setValue("/x y");
        }))
            .getPlugin()
            .getName() == "search");
  CHECK(desk.noted == "load /opt/a.so path=/x y");
  const auto swapped = one.tell([](auto request) {
    auto swap = request.initPluginSwap();
    swap.setName("search");
    swap.setFile("/opt/b.so");
  });
  CHECK(desk.noted == "swap search /opt/b.so");
  CHECK((*swapped).getSwapped().getTo() == "2");
  CHECK((*swapped).getSwapped().getHandedOver()[0] == "stats");
  CHECK((*swapped).getSwapped().getNotHandedOver()[0] == "b: large");
  CHECK(one.tell([](auto request) { request.setPluginRollback("search"); }).trouble() ==
        "not_found");
  CHECK((*one.tell([](auto request) { request.setPluginCrashes("search"); })).getCrashes().size() ==
        1);
  CHECK(one.tell([](auto request) { request.setPluginCrashes(""); }).trouble() == "io");
}

TEST_CASE("G115: an operator adds a mirror, sees how far behind it is, swaps, pauses and ends it") {
  auto down = std::make_shared<held_transport>();
  auto up = std::make_shared<held_transport>();
  up->confirms = true;
  office one({.transports = [&](std::string_view url) -> expected<transport_ptr> {
    if (url == "down://b" || url == "up://b")
      return url == "up://b" ? up : down;
    return fail(errc::invalid_option, "no such broker");
  }});
  const auto add = [&](const char* name, const char* url, const char* filter) {
    return one.tell([&](auto request) {
      auto made = request.initMirrorAdd();
      made.setName(name);
      made.setUrl(url);
      made.setFilter(filter);
    });
  };
  const auto list = [&] { return one.tell([](auto request) { request.setMirrorList(); }); };
  const auto lag_is = [&](std::uint64_t n) {
    eventually([&] { return (*list()).getMirrors()[0].getLag() == n; });
  };
  CHECK((*list()).getMirrors().size() == 0);
  CHECK(add("copy", "other://b", ">").text() == "no such broker");
  CHECK(add("copy", "down://b", "a..b").trouble() == "bad_filter");
  CHECK((*list()).getMirrors().size() == 0);

  CHECK(add("copy", "down://b", "lesson.>").trouble().empty());
  CHECK(add("copy", "down://b", "lesson.>").trouble() == "duplicate_name");
  for (const auto* lesson : {"1", "2", "3"})
    REQUIRE(publish_lesson(one.at, lesson, "good"));
  lag_is(3);
  {
    const auto told = list();
    const auto mirror = (*told).getMirrors()[0];
    CHECK(mirror.getName() == "copy");
    CHECK(mirror.getFilter() == "lesson.>");
    CHECK(mirror.getTransport() == "held");
    CHECK(mirror.getWhere() == "held://b");
    CHECK(mirror.getHealth() == "down");
    CHECK(mirror.getWhy() == "on purpose");
    CHECK(one.at.mirrors().front().oldest >= 0ms);
  }
  const auto swap = [&](const char* name) {
    return one.tell([&](auto request) {
      auto made = request.initMirrorSwap();
      made.setName(name);
      made.setUrl("up://b");
    });
  };
  CHECK(swap("indexer").trouble() == "not_found"); // a subscription, and no mirror
  CHECK(swap("copy").trouble().empty());
  down->held.clear(); // it goes, and drops what it has
  lag_is(0);
  CHECK(one.tell([](auto request) { request.setPause("copy"); }).trouble().empty());
  CHECK((*list()).getMirrors()[0].getState() == "paused");
  CHECK(one.tell([](auto request) { request.setMirrorRemove("indexer"); }).trouble() ==
        "not_found");
  CHECK(one.tell([](auto request) { request.setMirrorRemove("copy"); }).trouble().empty());
  CHECK((*list()).getMirrors().size() == 0);
}

TEST_CASE("G115: a node that takes no mirrors says so") {
  const office none;
  CHECK(none.tell([](auto request) { request.initMirrorAdd().setName("copy"); }).text() ==
        "this node takes no mirrors");
}

TEST_CASE("G116: an operator adds a source, sees what it has brought, and ends it") {
  scripted_broker broker;
  broker.put_lesson("k", "t");
  broker.put({.body = "none"});
  office one({.sources = [&](std::string_view url) -> expected<source_ptr> {
    if (url == "script://here")
      return std::make_unique<scripted_source>(broker, types_of<LessonPublished>());
    return fail(errc::invalid_option, "no such broker");
  }});
  const auto add = [&](const char* name, const char* url) {
    return one.tell([&](auto request) {
      auto made = request.initSourceAdd();
      made.setName(name);
      made.setUrl(url);
    });
  };
  const auto list = [&] { return one.tell([](auto request) { request.setSourceList(); }); };
  const auto remove = [&](const char* name) {
    return one.tell([&](auto request) { request.setSourceRemove(name); });
  };
  CHECK((*list()).getSources().size() == 0);
  CHECK(add("in", "other://there").text() == "no such broker");
  CHECK(add("in", "script://here").trouble().empty());
  CHECK(add("in", "script://here").trouble() == "duplicate_name");
  eventually([&] { return one.seen.size() == 1 && broker.left() == 0; });
  eventually([&] { return (*list()).getSources()[0].getAcknowledged() == 2; });
  {
    const auto told = list();
    const auto source = (*told).getSources()[0];
    CHECK(source.getName() == "in");
    CHECK(source.getSource() == "script");
    CHECK(source.getWhere() == "script://here");
    CHECK(source.getHealth() == "up");
    CHECK(source.getReceived() == 2);
    CHECK(source.getPublished() == 1);
    CHECK(source.getMalformed() == 1);
    CHECK(source.getWaiting() == 0);
  }
  const auto pause = [&](const char* name) {
    return one.tell([&](auto request) { request.setSourcePause(name); }).trouble();
  };
  CHECK(pause("in").empty());
  CHECK((*list()).getSources()[0].getPaused());
  CHECK(one.tell([](auto request) { request.setSourceResume("in"); }).trouble().empty());
  CHECK_FALSE((*list()).getSources()[0].getPaused());
  CHECK(pause("indexer") == "not_found");
  CHECK(remove("indexer").trouble() == "not_found"); // a subscription, and no source
  CHECK(remove("in").trouble().empty());
  CHECK((*list()).getSources().size() == 0);
}

TEST_CASE("G116: a node that takes no sources says so") {
  const office none;
  CHECK(none.tell([](auto request) { request.initSourceAdd().setName("in"); }).text() ==
        "this node takes no sources");
}

TEST_CASE("after its node has stopped, a control socket says that, and does not hang") {
  office one;
  one.at.stop();
  CHECK((*ask_status(one.control->path())).isStatus());
  CHECK(one.tell([](auto request) { request.setPause("indexer"); }).trouble() != "");
  CHECK((*one.tell([](auto request) { request.setLedger(); })).getLedger().getBalances());
}
