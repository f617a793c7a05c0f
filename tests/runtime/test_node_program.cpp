// `edupulse-node` from outside: what it says, how it ends, what it does not begin with.

#include "tests/support/eventually.hpp"
#include "tests/support/json.hpp"
#include "tests/support/program.hpp"
#include <algorithm>
#include <csignal>
#include <memory>
#include <sstream>

using namespace edupulse::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// A node that runs, in a directory of its own.
class runs {
public:
  explicit runs(const std::string& name, std::vector<std::string> more = {})
      : data_(home_.path() / name) {
    begin(name, std::move(more));
  }
  void begin(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"--name", name, "--data", data_, "--listen", "127.0.0.1:0", "--profile", "local"});
    it_ = std::make_unique<program>(EDUPULSE_NODE_PROGRAM, std::move(more));
    eventually([&] { return it_->output().find('\n') != std::string::npos; });
  }
  /// HOST:PORT for others.
  std::string address() const {
    const auto line = it_->output();
    const auto at = line.find(" node=") + 6;
    return line.substr(at, line.find(' ', at) - at);
  }
  nlohmann::json ask(std::vector<std::string> words) const {
    words.insert(words.end(), {"--json", "--data", data_});
    program tool(EDUPULSE_TOOL_PROGRAM, std::move(words));
    REQUIRE(tool.wait() == 0);
    return parse_json(tool.output());
  }
  program& it() { return *it_; }
  std::filesystem::path data() const { return data_; }

private:
  scratch_dir home_;
  std::string data_;
  std::unique_ptr<program> it_;
};

std::string refused(std::vector<std::string> arguments, int code) {
  program it(EDUPULSE_NODE_PROGRAM, std::move(arguments));
  CHECK(it.wait() == code);
  CHECK(it.output().empty());
  CHECK_THAT(it.errors(), StartsWith("edupulse-node: "));
  return it.errors();
}

} // namespace

TEST_CASE("edupulse-node: it says what it is, answers its operator, and ends with the ledger") {
  for (const int number : {SIGTERM, SIGINT}) {
    runs one("n1");
    CHECK_THAT(one.it().output(), StartsWith("name=\"n1\" node=127.0.0.1:"));
    CHECK_THAT(one.it().output(), Contains("control=" + (one.data() / "control.sock").string()));
    const auto status = one.ask({"node", "status"});
    CHECK(status["name"] == "n1");
    CHECK(status["address"] == one.address());
    CHECK(one.ask({"handler", "ls"}).empty());
    one.it().signal(number);
    CHECK(one.it().wait() == 0);
    CHECK_THAT(one.it().errors(), Contains("balanced: published"));
    CHECK_FALSE(std::filesystem::exists(one.data() / "control.sock"));
  }
}

TEST_CASE("edupulse-node: two of them are a cluster, and an operator sees who comes and goes") {
  runs one("n1");
  runs two("n2", {"--join", one.address()});
  CHECK(one.ask({"node", "wait", "--members", "2"})["members"].size() == 2);
  const auto state_of_two = [&]() -> std::string {
    const auto status = one.ask({"node", "status"});
    for (const auto& member : status["members"])
      if (member["name"] == "n2")
        return member["state"];
    return "unknown";
  };
  CHECK(state_of_two() == "alive");
  two.it().signal(SIGTERM);
  CHECK(two.it().wait() == 0);
  eventually([&] { return state_of_two() != "alive"; });
}

TEST_CASE(
    "G90: edupulse-node takes the place of its own start that was killed, not of one that runs") {
  runs one("n1");
  const auto other = refused({"--data", one.data(), "--log", "off"}, 1);
  CHECK_THAT(other, Contains("another process uses it"));
  one.it().signal(SIGKILL);
  CHECK(one.it().wait() == -SIGKILL);
  CHECK(std::filesystem::exists(one.data() / "control.sock"));
  one.begin("n1");
  CHECK(one.ask({"node", "status"})["epoch"] == 2);
}

TEST_CASE("edupulse-node: with --no-core-dumps what is in its memory is written to no file") {
  const auto core_size = [](runs& of) {
    const auto limits = read_to_end("/proc/" + std::to_string(of.it().pid()) + "/limits");
    const auto at = limits.find("Max core file size");
    return limits.substr(at, limits.find('\n', at) - at);
  };
  runs one("n1", {"--no-core-dumps"});
  std::istringstream words(core_size(one).substr(std::string("Max core file size").size()));
  std::string soft;
  std::string hard;
  words >> soft >> hard;
  CHECK(soft == "0");
  CHECK(hard == "0");
  CHECK(one.ask({"node", "status"})["name"] == "n1");
}

TEST_CASE("edupulse-node: what it cannot do is said with the reason and what helps") {
  scratch_dir home;
  const std::string data = home / "data";
  CHECK_THAT(refused({"--data", data, "--listen", "0.0.0.0:0"}, 1), Contains("cluster.tls"));
  CHECK_THAT(refused({"--data", data, "--listen", "nowhere"}, 1), Contains("listen"));
  CHECK_THAT(refused({"--data", data, "--socket", data + std::string(120, 'x')}, 1),
             Contains("107 bytes"));
  CHECK_THAT(refused({}, 2), Contains("--data is required"));
  CHECK_THAT(refused({"--data", data, "--profil", "lan"}, 2),
             Contains("did you mean \"--profile\"?"));
  CHECK_THAT(refused({"--data", data, "--profile", "moon"}, 2), Contains("moon not in {"));
  CHECK_THAT(refused({"--data", data, "--set", "path=x"}, 2), Contains("PLUGIN.NAME=VALUE"));
  program version(EDUPULSE_NODE_PROGRAM, {"--version"});
  CHECK(version.wait() == 0);
  program help(EDUPULSE_NODE_PROGRAM, {"--help"});
  CHECK(help.wait() == 0);
  CHECK_THAT(help.output(), Contains("Exit codes:"));
}
