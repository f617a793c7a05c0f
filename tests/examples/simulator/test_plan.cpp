#include "plan.hpp"
#include "schemas/nearest.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch_dir.hpp"
#include <fstream>

using namespace edupulse;
using namespace edupulse::simulator;

namespace {

std::string trouble_in(const std::string& toml) {
  const auto read = parse_scenario(toml, "mine.toml");
  if (!read)
    return read.error().text;
  const auto good = validate(*read, 64);
  return good ? "" : good.error().text;
}

const std::string indexer = "[[handler]]\nname = \"indexer\"\n";

} // namespace

TEST_CASE("simulator plan: every scenario that ships can be read, fits together and says what to "
          "expect") {
  const auto names = shipped_scenarios();
  for (const auto* wanted :
       {"steady", "slow-handler", "poison-event", "crash-loop", "kill-one", "kill-publisher",
        "rolling-restart", "split-brain-and-heal", "flapping-link", "one-way", "stopped-peer",
        "join-storm", "overload-10x", "group-failover"})
    CHECK(std::find(names.begin(), names.end(), wanted) != names.end());
  for (const auto& name : names) {
    INFO(name);
    const auto one = read_scenario(name);
    REQUIRE(one);
    CHECK(one->scenario == name);
    CHECK(one->about.size() > 40);
    CHECK(validate(*one, 64));
  }
}

TEST_CASE("simulator plan: a name that is nearly right is told") {
  const auto wrong = read_scenario("kill-on");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == errc::not_found);
  CHECK(wrong.error().text.find("did you mean \"kill-one\"?") != std::string::npos);
  CHECK(read_scenario("nothing like it").error().text.find("did you mean") == std::string::npos);
  CHECK(edits_between("steady", "steady") == 0);
  CHECK(edits_between("stedy", "steady") == 1);
  CHECK(edits_between("", "abc") == 3);
}

TEST_CASE("simulator plan: a mistake in a file is told with its line and key") {
  CHECK(trouble_in(indexer) == "");
  CHECK(trouble_in("nodes = 3\nevnts = 5\n" + indexer) ==
        "mine.toml:2: nothing is called `evnts` here: did you mean \"events\"?");
  CHECK(trouble_in("\n\nnodes = \"three\"\n" + indexer) ==
        "mine.toml:3: `nodes` must be a number, 0 or more");
  CHECK(trouble_in("nodes = 2.5\n" + indexer) == "mine.toml:1: `nodes` must be a whole number");
  CHECK(trouble_in(indexer + "[[fault]]\nat = 1\nwhat = \"kil\"\nnodes = [\"n2\"]\n") ==
        "mine.toml:3: there is no fault \"kil\": did you mean \"kill\"?");
  CHECK(trouble_in(indexer + "[[fault]]\nwhat = \"kill\"\nnodes = [\"two\"]\n") ==
        "mine.toml:3: nodes are called n1, n2 ..., and not \"two\"");
  CHECK(trouble_in(indexer + "throws = \"often\"\n") ==
        "mine.toml:3: `throws` must be a number, 0 or more");
  CHECK(trouble_in("nodes = = 3").find("mine.toml:1: ") == 0);
}

TEST_CASE("simulator plan: numbers that make no sense are refused with the range") {
  CHECK(trouble_in("nodes = 0\n" + indexer) ==
        "there can be 1 to 64 nodes in this mode, and not 0");
  CHECK(trouble_in("nodes = 10000\n" + indexer) ==
        "there can be 1 to 64 nodes in this mode, and not 10000");
  CHECK(trouble_in("publishers = 4\n" + indexer) == "there can be 1 to 3 publishers, and not 4");
  CHECK(trouble_in("events = 0\n" + indexer) == "there can be 1 to 100,000,000 events, and not 0");
  CHECK(trouble_in("rate = -5\n" + indexer) == "mine.toml:1: `rate` must be a number, 0 or more");
  CHECK(trouble_in("nodes = 3") ==
        "nobody handles anything: give a [[handler]], --handlers or --plugin");
  CHECK(trouble_in(indexer + "[[fault]]\nwhat = \"kill\"\nnodes = [\"n4\"]\n") ==
        "\"kill n4\": there are 3 nodes, n1 to n3");
  CHECK(trouble_in(indexer + "[[fault]]\nwhat = \"cut\"\nnodes = [\"n1\"]\n") ==
        "\"cut n1\" needs two nodes or more");
  CHECK(
      trouble_in(indexer + "[[fault]]\nwhat = \"partition\"\nnodes = [\"n1\", \"n2\", \"n3\"]\n") ==
      "\"partition n1 n2 n3\" leaves nobody on the other side");
  CHECK(trouble_in("level = \"acknowleged\"\n" + indexer) ==
        "there is no level \"acknowleged\": did you mean \"acknowledged\"?");
  CHECK(
      trouble_in(indexer + "overload = \"drop\"\n").find("there is no overload policy \"drop\"") !=
      std::string::npos);
}

TEST_CASE("simulator plan: faults and handlers of a command line") {
  const auto faults = parse_faults("kill:n2@3+4, partition:n1/n2@8+5.5,reset:n1/n2@9");
  REQUIRE(faults);
  REQUIRE(faults->size() == 3);
  CHECK((*faults)[0].what == fault_word::kill);
  CHECK((*faults)[0].nodes == std::vector<std::size_t>{1});
  CHECK((*faults)[0].at == 3);
  CHECK((*faults)[0].lasts == 4);
  CHECK((*faults)[1].nodes == std::vector<std::size_t>{0, 1});
  CHECK((*faults)[1].lasts == 5.5);
  CHECK((*faults)[2].lasts == 0);
  CHECK_FALSE(parse_faults("kill:n2"));
  CHECK_FALSE(parse_faults("kill:n2@soon"));
  CHECK_FALSE(parse_faults("maim:n2@3"));

  const auto handlers = parse_handlers("indexer, slow@n2/n3 takes=5 throws=0.01 group=g");
  REQUIRE(handlers);
  REQUIRE(handlers->size() == 2);
  CHECK((*handlers)[0].nodes.empty());
  CHECK((*handlers)[1].name == "slow");
  CHECK((*handlers)[1].nodes == std::vector<std::size_t>{1, 2});
  CHECK((*handlers)[1].takes_ms == 5);
  CHECK((*handlers)[1].group == "g");
  CHECK(parse_handlers("a tkes=5").error().text ==
        "a handler has no \"tkes\": did you mean \"takes\"?");
  CHECK_FALSE(parse_handlers("a takes=long"));
}

TEST_CASE("simulator plan: users write their own") {
  const test::scratch_dir place;
  const auto file = place.path() / "mine.toml";
  std::ofstream(file) << "about = \"mine\"\nnodes = 2\n" << indexer;
  const auto mine = read_scenario(file);
  REQUIRE(mine);
  CHECK(mine->scenario == "mine");
  CHECK(mine->nodes == 2);
  CHECK_FALSE(read_scenario(place.path())); // a directory
}
