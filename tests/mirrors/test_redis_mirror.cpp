// Mirrors to Redis streams.

#include "tests/mirrors/mirror_cases.hpp"
#include "tests/mirrors/mirrored.hpp"
#include "tests/mirrors/redis_broker.hpp"
#include "tests/mirrors/source_cases.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include <edupulse/transports.hpp>

using namespace edupulse;
using namespace edupulse::test;

TEST_CASE("G113: Redis that is down at first gets everything once it is there") {
  redis_broker to;
  down_at_start(to);
}

TEST_CASE("G113: Redis that is killed and started again misses nothing") {
  redis_broker to;
  killed_under_load(to, after_kill::has_everything);
}

TEST_CASE("G113: Redis that hangs is an outage, and misses nothing") {
  redis_broker to;
  paused_under_load(to);
}

TEST_CASE("G113: Redis that refuses a password is an outage, in its own words") {
  redis_broker to;
  refuses_credentials(to);
}

TEST_CASE("G113: connections to Redis that are reset again and again lose nothing") {
  redis_broker to;
  connection_reset_again_and_again(to);
}

TEST_CASE("G113: a slow network to Redis holds up the mirror, and nobody else") {
  redis_broker to;
  slow_network(to);
}

TEST_CASE("G113: a mirror is swapped to another Redis under load, and nothing is lost") {
  redis_broker from;
  redis_broker to;
  swapped_under_load(from, to);
}

TEST_CASE("G113: what Redis refuses for good is a dead letter with its words") {
  redis_broker to;
  to.start();
  to.ask({"LPUSH", "lessons", "a list"});
  mirrored here(to.url());
  here.publish(3);
  here.drain();
  const auto dead = here->dead_letters().value();
  REQUIRE(dead.size() == 3);
  CHECK_THAT(dead.front().reason, Catch::Matchers::Contains("WRONGTYPE"));
}

TEST_CASE("G113: Redis without memory is an outage until there is some") {
  redis_broker to;
  to.start();
  to.ask({"CONFIG", "SET", "maxmemory", "1"});
  mirrored here(to.url(), to.pace());
  here.publish(300);
  here.await_why("OOM");
  to.ask({"CONFIG", "SET", "maxmemory", "0"});
  here.drain();
  CHECK(to.read().size() == 300);
  CHECK(here.given_up() == 0);
}

TEST_CASE("G114: a mirror to Redis sends what has its metadata, and no more") {
  redis_broker to;
  to.start();
  mirrored here(to.url("&meta.tenant=north"));
  for (int i = 0; i < 20; ++i) {
    publish_options more;
    more.meta = {{"tenant", i % 4 == 0 ? "north" : "south"}};
    REQUIRE(publish_lesson(*here, "k", std::to_string(i), more));
  }
  eventually([&] { return here.status().pending == 0; });
  CHECK(to.read().size() == 5);
}

TEST_CASE("G113: a mirror to a Redis that hangs can be detached") {
  redis_broker to;
  mirror_that_ends_while_the_server_is_paused(to);
}

// -- sources
// ---------------------------------------------------------------------------------------

TEST_CASE("G116: a source at Redis gets what a mirror wrote there, once and in order") {
  redis_broker at;
  source_gets_what_a_mirror_wrote(at);
}

TEST_CASE("G116: a source at Redis goes on when the server has been killed and started") {
  redis_broker at;
  source_goes_on_after_a_kill(at);
}

TEST_CASE("G116: a source at Redis loses nothing to connections that are reset") {
  redis_broker at;
  source_goes_on_after_resets(at);
}

TEST_CASE("G116: a source that Redis refuses is told why in the server's words") {
  redis_broker at;
  source_is_refused(at);
}

TEST_CASE("G117: what a source at Redis cannot read is a dead letter, and can be read again") {
  redis_broker at;
  source_buries_what_it_cannot_read(at);
}

TEST_CASE("G116: what a source at Redis did not acknowledge is the next one's") {
  redis_broker at;
  source_that_ends_leaves_its_messages(at);
}

TEST_CASE("G116: sources of a group at Redis share the messages") {
  redis_broker at;
  sources_of_a_group_share(at);
}

TEST_CASE("G116: a source at Redis waits while the bus has no room") {
  redis_broker at;
  source_waits_for_the_bus(at);
}

TEST_CASE("G116: a source at Redis reads every form that a mirror writes") {
  redis_broker at;
  source_reads_every_form(at);
}

TEST_CASE("G116: a source at Redis leaves out what a mirror of its cluster sent") {
  redis_broker at;
  source_leaves_out_echoes(at);
}
