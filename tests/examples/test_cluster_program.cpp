// edupulse-search --cluster from outside: three processes that are one run.

#include "tests/support/eventually.hpp"
#include "tests/support/program.hpp"

using namespace edupulse::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The number behind `before`.
pid_t number_after(const std::string& text, const std::string& before) {
  const auto at = text.find(before);
  REQUIRE(at != std::string::npos);
  return static_cast<pid_t>(std::stol(text.substr(at + before.size())));
}

} // namespace

TEST_CASE("edupulse-search --cluster: one node is killed half-way, and nothing is missed") {
  program it(EDUPULSE_SEARCH_PROGRAM,
             {"--cluster", "--quiet", "--rate", "2000", "--query", "quantum mechanics"});
  const int code = it.wait();
  const auto said = it.output();
  INFO(said << it.errors());
  CHECK(code == 0);
  CHECK(contains(it.errors(), "is killed with SIGKILL"));
  CHECK(contains(it.errors(), "indexer is started again"));
  CHECK(contains(said, "1,330 events published"));
  CHECK(contains(said, "Members, as publisher sees them"));
  CHECK(contains(said, "Ledger of the cluster: indexer, notifier, publisher"));
  CHECK(contains(said, "Ledger of indexer"));
  CHECK(contains(said, "Dead letters of notifier"));
  CHECK(contains(said, "answered by indexer"));
  CHECK(contains(said, "Quantum Mechanics 101"));
  CHECK_FALSE(contains(said, "does not balance"));
  CHECK_FALSE(contains(said, "\x1b")); // no colors in a file
}

TEST_CASE("edupulse-search --cluster: Ctrl-C ends all three processes") {
  program it(EDUPULSE_SEARCH_PROGRAM, {"--cluster", "--quiet", "--rate", "1"});
  eventually([&] { return contains(it.errors(), "are one cluster"); });
  const auto said = it.errors();
  it.signal(SIGINT);
  CHECK(it.wait() == 130);
  for (const char* who : {"indexer (pid ", "notifier (pid "})
    CHECK(::kill(number_after(said, who), 0) != 0);
}

TEST_CASE("edupulse-search --cluster: a node that ends by itself ends the run, and is named") {
  program it(EDUPULSE_SEARCH_PROGRAM, {"--cluster", "--quiet", "--rate", "50"});
  eventually([&] { return contains(it.errors(), "are one cluster"); });
  REQUIRE(::kill(number_after(it.errors(), "notifier (pid "), SIGSEGV) == 0);
  CHECK(it.wait() == 1);
  INFO(it.errors());
  CHECK(contains(it.errors(), "the process of node notifier was ended by signal 11"));
}
