// A member that was written in another language, from docs/wire_protocol.md and the schemas: what a
// node of this runtime sees of it, and it of the node.

#include "lesson.capnp.h"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include <algorithm>
#include <edupulse/node.hpp>
#include <mutex>
#include <sstream>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

class python_client : public program {
public:
  python_client(const node& seed, const std::string& name)
      : program("python3", {EDUPULSE_SOURCE_DIR "/examples/clients/python/client.py", "--join",
                            seed.address(), "--name", name, "--filter", "lesson.published"}) {}

  void publish(const std::string& title) {
    write(R"({"lessonId":"l1","title":")" + title + "\"}\n");
  }
  /// Of the events it was given.
  texts titles() const {
    const std::string before = R"("title": ")";
    texts all;
    std::istringstream lines(output());
    for (std::string line; std::getline(lines, line);)
      if (const auto at = line.find(before); at != std::string::npos) {
        const auto begin = at + before.size();
        all.push_back(line.substr(begin, line.find('"', begin) - begin));
      }
    return all;
  }
};

/// A node that writes down which lessons it handles, and what becomes of members.
class witness {
public:
  explicit witness(network_profile patience) : here(node::start(options(patience)).value()) {
    REQUIRE(here.subscribe<MemberChanged>("watch", [this](auto what, const event_info& info) {
      note(std::string(info.topic()) + " " + what.getName().cStr());
    }));
    REQUIRE(here.subscribe<LessonPublished>(
        "indexer", [this](auto lesson, const event_info&) { note(lesson.getTitle().cStr()); }));
  }
  texts notes() const {
    std::lock_guard lock(guard_);
    return notes_;
  }
  bool noted(const std::string& line) const {
    const auto all = notes();
    return std::count(all.begin(), all.end(), line) > 0;
  }
  member_state state_of(const std::string& name) const {
    for (const auto& one : here.members())
      if (one.name == name)
        return one.state;
    return member_state::dead;
  }
  bool is_connected(const std::string& name) const {
    const auto all = here.members();
    return std::any_of(all.begin(), all.end(),
                       [&](const member& one) { return one.name == name && one.connected; });
  }

private:
  static node_options options(network_profile patience) {
    node_options how;
    how.name = "witness";
    how.cluster.listen = "127.0.0.1:0";
    how.cluster.profile = patience;
    if (std::getenv("EDUPULSE_LOG"))
      how.log = log_level::debug;
    return how;
  }
  void note(std::string line) {
    std::lock_guard lock(guard_);
    notes_.push_back(std::move(line));
  }

  mutable std::mutex guard_;
  texts notes_;

public:
  node here; ///< the last member: its handlers use the others
};

texts numbered(const std::string& what, int count) {
  texts all;
  for (int i = 1; i <= count; ++i)
    all.push_back(what + " " + std::to_string(i));
  return all;
}

} // namespace

TEST_CASE("a client in Python gets each event once and in order, and publishes") {
  witness to(network_profile::lan); // the client encodes with a program, which may take its time
  python_client client(to.here, "py");
  eventually([&] { return to.is_connected("py"); });
  CHECK(to.state_of("py") == member_state::alive);
  REQUIRE(to.here.ready("lesson.published", 2, 30s));
  const auto given = numbered("of the node", 60); // several times the client's window
  std::vector<receipt> receipts;
  for (const auto& title : given)
    receipts.push_back(to.here
                           .publish<LessonPublished>(
                               [&](auto lesson) {
                                 lesson.setLessonId("l1");
                                 lesson.setTitle(title);
                               },
                               {.track = true})
                           .value());
  for (auto& one : receipts) {
    const auto status = one.wait(60s);
    REQUIRE(status);
    CHECK(status->handled == 2);
  }
  CHECK(client.titles() == given);

  const auto published = numbered("of the client", 20);
  for (const auto& title : published)
    client.publish(title);
  client.close_input(); // all is handled before it leaves
  CHECK(client.wait() == 0);
  eventually([&] { return to.state_of("py") == member_state::left; });
  auto handled = to.notes();
  std::erase_if(handled, [](const auto& line) { return !line.starts_with("of the client"); });
  CHECK(handled == published);
  CHECK(client.titles() == given);
}

TEST_CASE(
    "a client in Python stays alive while one dies that does not answer, which then comes back") {
  witness to(network_profile::local);
  python_client client(to.here, "py");
  python_client silent(to.here, "silent");
  eventually([&] { return to.is_connected("py") && to.is_connected("silent"); });
  silent.signal(SIGSTOP); // its connections stay
  eventually([&] { return to.noted("$cluster.member.dead silent"); });
  CHECK(to.state_of("py") == member_state::alive);
  CHECK_FALSE(to.noted("$cluster.member.dead py"));
  CHECK(to.is_connected("py"));

  silent.signal(SIGCONT); // it dials again, hears that it is dead, and says that it is not
  eventually([&] { return to.noted("$cluster.member.alive_again silent"); });
  eventually([&] { return to.is_connected("silent"); });
  silent.publish("still here");
  eventually([&] { return to.noted("still here"); });
  silent.close_input();
  CHECK(silent.wait() == 0);

  client.close_input();
  CHECK(client.wait() == 0);
  eventually([&] { return to.noted("$cluster.member.left py"); });
}
