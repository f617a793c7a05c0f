// examples/backend_node from outside: three processes, asked over HTTP.

#include "json_text.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"
#include <httplib.h>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>

using namespace edupulse::search;
using namespace edupulse::test;

namespace {

/// A node, its place on disk, and how it is asked.
class backend {
public:
  backend(std::string name, std::vector<std::string> join) : name_(std::move(name)) {
    start(std::move(join));
  }

  void start(std::vector<std::string> join) {
    std::vector<std::string> arguments = {"--name",       name_,    "--data",
                                          data_ / "data", "--http", "127.0.0.1:0"};
    for (auto& each : join)
      arguments.insert(arguments.end(), {"--join", each});
    running_.emplace(EDUPULSE_BACKEND_PROGRAM, std::move(arguments));
    eventually([&] { return running_->output().ends_with("\n"); });
    std::istringstream line(running_->output());
    for (std::string word; line >> word;)
      said_[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    http_ = std::make_unique<httplib::Client>("http://" + said_["http"]);
    http_->set_read_timeout(15);
  }
  void kill() {
    running_->signal(SIGKILL);
    CHECK(running_->wait() == -SIGKILL);
    running_.reset();
  }
  int stop() {
    running_->signal(SIGTERM);
    return running_->wait();
  }
  std::string errors() const { return running_->errors(); }
  const std::string& address() { return said_["node"]; }

  httplib::Result get(const std::string& path) { return http_->Get(path.c_str()); }
  httplib::Result post(const std::string& body, const std::string& query = {}) {
    return http_->Post(("/lessons" + query).c_str(), body, "application/json");
  }
  int post_lesson(int number) {
    const auto id = std::to_string(number);
    const auto answer = post(R"({"lessonId":")" + id + R"(","title":"Quantum )" + id + "\"}");
    return answer ? answer->status : 0;
  }
  std::size_t found(const std::string& query) {
    const auto answer = get("/search?limit=1000&q=" + query);
    if (!answer || answer->status != 200)
      return 0;
    return json_document::parse(answer->body)->root()["hits"].items().size();
  }
  bool ready(int nodes) {
    const auto answer = get("/ready?nodes=" + std::to_string(nodes));
    return answer && answer->status == 200;
  }
  /// What this node thinks of another: its state and how often it was started.
  std::pair<std::string, int> opinion_of(const std::string& name) {
    const auto answer = get("/members");
    if (!answer)
      return {};
    const auto all = json_document::parse(answer->body);
    for (const auto each : all->root().items())
      if (each["name"].text() == name)
        return {each["state"].text(), static_cast<int>(each["starts"].number())};
    return {};
  }

private:
  std::string name_;
  scratch_dir data_;
  std::optional<program> running_;
  std::map<std::string, std::string> said_;
  std::unique_ptr<httplib::Client> http_;
};

} // namespace

TEST_CASE("backend: a lesson posted to one of three nodes is found on all of them") {
  backend a("a", {});
  backend b("b", {a.address()});
  backend c("c", {a.address()});
  for (auto* each : {&a, &b, &c})
    eventually([&] { return each->ready(3); });
  const auto posted = b.post(R"({"lessonId":"42","title":"Quantum Mechanics 101"})", "?wait=1");
  REQUIRE(posted);
  INFO(posted->body);
  CHECK(posted->status == 202);
  const auto answer = json_document::parse(posted->body);
  CHECK(answer->root()["outcome"]["complete"].truth());
  CHECK(answer->root()["outcome"]["handled"].number() == 3);
  for (auto* each : {&a, &b, &c})
    CHECK(each->found("quantum+mechanics") == 1);
  CHECK(c.stop() == 0);
  eventually([&] { return a.opinion_of("c").first == "left"; });
}

TEST_CASE("backend: a node killed in mid-stream and started again has every lesson, as all have") {
  constexpr int lessons = 300;
  backend a("a", {});
  backend b("b", {a.address()});
  backend c("c", {a.address()});
  for (auto* each : {&a, &b, &c})
    eventually([&] { return each->ready(3); });
  for (int i = 0; i < lessons; ++i) {
    if (i == 100) {
      eventually([&] { return c.found("quantum") > 0; });
      c.kill();
    }
    if (i == 200)
      c.start({b.address()});
    REQUIRE(a.post_lesson(i) == 202);
  }
  for (auto* each : {&a, &b, &c})
    eventually([&] { return each->found("quantum") == lessons; });
  for (auto* each : {&a, &b})
    eventually([&] { return each->opinion_of("c") == std::pair(std::string("alive"), 2); });
}

TEST_CASE("backend: bad input is answered with a sentence, and nothing is published") {
  backend a("a", {});
  const auto refused = [&](const std::string& body, const std::string& why) {
    const auto answer = a.post(body);
    REQUIRE(answer);
    INFO(body << " -> " << answer->body);
    CHECK(answer->status == 400);
    CHECK(json_document::parse(answer->body)->root()["error"].text().find(why) !=
          std::string::npos);
  };
  refused("not JSON", "not JSON");
  refused("[]", "a lesson is a JSON object");
  refused("{}", "lessonId is missing");
  refused(R"({"lessonId":"42"})", "title is missing");
  refused(R"({"lessonId":"42","titel":"T"})", "titel");
  refused(R"({"name":"lesson.burnt","lessonId":"42"})", "lesson.burnt");
  CHECK(a.get("/search")->status == 400);
  CHECK(a.get("/nothing")->status == 404);
  CHECK(a.get("/healthz")->status == 200);
  CHECK(a.get("/ready?nodes=x")->status == 400);
  const auto ledger = json_document::parse(a.get("/ledger")->body);
  CHECK(ledger->root()["balanced"].truth());
  CHECK(ledger->root()["lines"].items().empty());
}
