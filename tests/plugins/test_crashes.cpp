// A plugin's handler that ends its process, again and again.

#include "lesson.capnp.h"
#include "runtime/plugins/crash_history.hpp"
#include "tally.capnp.h"
#include "tests/plugins/plugin_fixture.hpp"
#include "tests/support/events.hpp"
#include "tests/support/program.hpp"
#include <algorithm>

using namespace edupulse;
using edupulse::test::eventually;
using edupulse::test::plugin_path;
using edupulse::test::program;
using edupulse::test::scratch_dir;
using namespace std::chrono_literals;

namespace {

/// A node of the test that publishes, and one of its own process that handles and dies.
class front {
public:
  front() : at_(node::start(options()).value()) {
    REQUIRE(at_.subscribe<Counted>("witness", [this](auto) { ++counted_; }));
  }

  receipt publish(const std::string& lesson, const std::string& body) {
    auto sent = at_.publish<LessonPublished>(
        [&](auto to) {
          to.setLessonId(lesson);
          to.setBody(body);
        },
        {.track = true});
    REQUIRE(sent);
    return *sent;
  }
  std::unique_ptr<program> start_worker(const char* plugin = "fatal_1") const {
    const std::vector<std::string> arguments{data_.path().native(), at_.address(),
                                             plugin_path(plugin).native()};
    return std::make_unique<program>(FATAL_NODE, arguments);
  }
  void await_worker() const { REQUIRE(at_.ready("lesson.published", 1, 20s)); }
  int counted() const { return counted_; }

private:
  static node_options options() {
    node_options how;
    how.name = "front";
    how.log = log_level::off;
    how.cluster.listen = "127.0.0.1:0";
    how.cluster.profile = network_profile::local;
    return how;
  }

  std::atomic<int> counted_{0};
  scratch_dir data_;
  node at_;
};

/// The worker dies `times` times of the event, each time as `exit_code` says, and then refuses it.
void check_refused_after(int times, const std::string& how, int exit_code, const std::string& why) {
  INFO(how);
  front here;
  auto worker = here.start_worker();
  here.await_worker();
  const auto poison = here.publish("bad", how);
  const auto good = here.publish("good", "");
  for (int life = 0; life < times; ++life) {
    CHECK(worker->wait() == exit_code);
    worker = here.start_worker();
  }
  const auto said = poison.wait(30s);
  REQUIRE(said);
  CHECK(said->dead == 1);
  CHECK(good.wait(30s));
  worker->write("letters\n");
  eventually([&] {
    return worker->output().find(to_string(poison.id()) + " the process died") != std::string::npos;
  });
  const auto output = worker->output();
  INFO(output);
  CHECK(output.find("died " + std::to_string(times) + " times") != std::string::npos);
  CHECK(output.find(why) != std::string::npos);
  CHECK(output.find(to_string(poison.id()) + " fatal.handler@1.0.0") != std::string::npos);
  CHECK(worker->errors().find("which comes again") != std::string::npos);
  worker->close_input();
  CHECK(worker->wait() == 0);

  // The version without the fault is given it, and the letter leaves.
  worker = here.start_worker("fatal_2");
  eventually([&] { return worker->output().find("ready") != std::string::npos; });
  const int before = here.counted();
  worker->write("redrive\n");
  eventually([&] { return here.counted() > before; });
  worker->close_input();
  CHECK(worker->wait() == 0);
}

} // namespace

namespace {

/// A process that dies in a call, as far as its notes go.
void die_in_a_call(const scratch_dir& data, const std::string& handler, const envelope_ptr& event) {
  const auto calls = data / "calls";
  {
    const auto notes = crash_notes::open(data.path(), {}).value();
    auto* const slot = notes->take(handler);
    REQUIRE(slot != nullptr);
    const crash_notes::call call(*notes, slot, *event);
    std::filesystem::copy_file(calls, data / "kept");
  }
  std::filesystem::rename(data / "kept", calls);
}

} // namespace

TEST_CASE("G106: deaths that nobody saw are counted, by handler, version and event") {
  const scratch_dir data;
  // As long as names and versions can be.
  const auto handler =
      std::string(63, 'p') + "." + std::string(63, 'h') + "@" + std::string(63, '1');
  const auto other = handler.substr(0, handler.size() - 1) + "2";
  const auto event = test::make_event();
  for (int deaths = 1; deaths <= 5; ++deaths) {
    die_in_a_call(data, handler, event);
    const auto notes = crash_notes::open(data.path(), {}).value();
    REQUIRE(notes->found().size() == 1);
    CHECK(notes->found()[0].handler == handler);
    CHECK(notes->found()[0].event == event->id());
    CHECK((notes->refusal(handler, event->id()) != nullptr) == (deaths == 5));
    CHECK(notes->refusal(other, event->id()) == nullptr);
    CHECK(notes->refusal(handler, test::make_event()->id()) == nullptr);
    auto history = crash_history::open(crash_history::file_in(data.path())).value();
    const auto known = history.records(std::string(63, 'p'), {}).value();
    REQUIRE(known.size() == 1);
    CHECK(known[0].handler == handler.substr(0, 127));
    CHECK(known[0].version == std::string(63, '1'));
    CHECK(known[0].deaths == static_cast<std::uint32_t>(deaths));
    CHECK(known[0].proven == 0);
    CHECK(known[0].refused == (deaths == 5));
    CHECK(history.records("", {}).value().size() == 1);
    CHECK(history.records(std::string(62, 'p'), {}).value().empty());
  }
  CHECK(crash_notes::open(data.path(), {}).value()->found().empty()); // it ended well
}

TEST_CASE(
    "G106: an event that crashes its process twice is refused by the third, with the signal") {
  check_refused_after(2, "crash", -SIGSEGV, "Segmentation fault (11), at");
}

TEST_CASE("G106: so is one that aborts, exits, or uses up the stack") {
  check_refused_after(2, "abort", -SIGABRT, "Aborted (6), at");
  check_refused_after(2, "exit", 0, "exit()");
  check_refused_after(2, "overflow", -SIGSEGV, "Segmentation fault (11), at");
}

TEST_CASE("G106: a death that nobody saw makes a suspect, and takes more of them") {
  check_refused_after(3, "kill", -SIGKILL, "killed");
}
