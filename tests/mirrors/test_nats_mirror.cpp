// Mirrors to NATS, core and JetStream.

#include "tests/mirrors/mirror_cases.hpp"
#include "tests/mirrors/mirrored.hpp"
#include "tests/mirrors/nats_broker.hpp"
#include "tests/mirrors/source_cases.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/tcp_proxy.hpp"
#include <edupulse/transports.hpp>
#include <set>

using namespace edupulse;
using namespace edupulse::test;

namespace {

constexpr auto core = nats_broker::kind::core;
constexpr auto jetstream = nats_broker::kind::jetstream;

} // namespace

TEST_CASE("G113: NATS that is down at first gets everything once it is there") {
  nats_broker to(core);
  // Its reader listens from the first moment on, and the mirror comes half a second later.
  down_at_start(to);
}

TEST_CASE("G113: NATS that is killed and started again under load keeps the order of keys") {
  nats_broker to(core);
  killed_under_load(to, after_kill::may_miss_what_was_confirmed);
}

TEST_CASE("G113: JetStream that is killed and started again misses nothing") {
  nats_broker to(jetstream);
  killed_under_load(to, after_kill::has_everything);
}

TEST_CASE("G113: JetStream that is down at first gets everything once it is there") {
  nats_broker to(jetstream);
  down_at_start(to);
}

TEST_CASE("G113: NATS that hangs is an outage, and misses nothing") {
  nats_broker to(core);
  paused_under_load(to);
}

TEST_CASE("G113: JetStream that hangs is an outage, and misses nothing") {
  nats_broker to(jetstream);
  paused_under_load(to);
}

TEST_CASE("G113: NATS that refuses a password is an outage, in its own words") {
  nats_broker to(core);
  refuses_credentials(to);
}

TEST_CASE("G113: connections to NATS that are reset again and again lose nothing") {
  nats_broker to(core);
  connection_reset_again_and_again(to);
}

TEST_CASE("G113: connections to JetStream that are reset again and again lose nothing") {
  nats_broker to(jetstream);
  connection_reset_again_and_again(to);
}

TEST_CASE("G113: a slow network to NATS holds up the mirror, and nobody else") {
  nats_broker to(core);
  slow_network(to);
}

TEST_CASE("G113: a network to NATS too slow for many events at once gets on with fewer") {
  const auto kind = GENERATE(core, jetstream);
  nats_broker to(kind);
  to.start();
  tcp_proxy network(to.port());
  mirrored here(to.url_of(network.port(), "&ack_timeout=1s"));
  network.slow_down(50); // 140 KB take three seconds
  here.publish(200);
  here.drain();
  CHECK(here.given_up() == 0);
  network.slow_down(1u << 20);
  check_has_all(to.read(), here.published());
}

TEST_CASE("G113: a slow network to JetStream holds up the mirror, and nobody else") {
  nats_broker to(jetstream);
  slow_network(to);
}

TEST_CASE("G113: a mirror is swapped from NATS to JetStream under load, and nothing is lost") {
  nats_broker from(core);
  nats_broker to(jetstream);
  swapped_under_load(from, to);
}

TEST_CASE("G113: a mirror to a NATS that hangs can be detached") {
  nats_broker to(jetstream);
  mirror_that_ends_while_the_server_is_paused(to);
}

TEST_CASE("G113: a stream that is full is an outage until there is room") {
  nats_broker to(jetstream);
  to.start();
  to.limit(50);
  mirrored here(to.url(), to.pace());
  here.publish(80);
  here.await_why("maximum messages exceeded");
  to.limit(0);
  here.drain();
  CHECK(to.read().size() == 80);
  CHECK(here.given_up() == 0);
}

TEST_CASE("G113: what no stream takes is a dead letter in the end") {
  nats_broker to(jetstream);
  to.start();
  mirrored here("nats://edu:secret@127.0.0.1:" + std::to_string(to.port()) +
                    "?jetstream=true&topic=nowhere.{name}",
                mirrored::impatient());
  REQUIRE(publish_lesson(*here, "k", "0"));
  here.drain();
  const auto dead = here.dead_letters();
  REQUIRE(dead.size() == 1);
  CHECK_THAT(dead.front().attempts.back().text,
             Catch::Matchers::Contains("does a stream have this subject"));
}

TEST_CASE("G113: what the user may not publish to NATS is a dead letter with the server's words") {
  const auto kind = GENERATE(core, jetstream);
  nats_broker to(kind);
  to.start();
  mirrored here("nats://edu:secret@127.0.0.1:" + std::to_string(to.port()) +
                    "?topic={to}&jetstream=" + (kind == core ? "false" : "true"),
                mirrored::impatient());
  for (int i = 0; i < 20; ++i) {
    publish_options to_whom;
    to_whom.meta = {{"to", i % 4 == 0   ? "lessons.secret.a"
                           : i % 4 == 1 ? "lessons.secret.b"
                                        : "lessons.lesson.published"}};
    REQUIRE(publish_lesson(*here, "k" + std::to_string(i), std::to_string(i), to_whom));
  }
  here.drain();
  const auto dead = here.dead_letters();
  CHECK(dead.size() == 10);
  for (const auto& one : dead)
    CHECK_THAT(one.reason, Catch::Matchers::Contains("Permissions Violation for Publish") &&
                               Catch::Matchers::Contains("lessons.secret."));
  std::set<std::string> ids;
  for (const auto& one : to.read())
    ids.insert(one.id);
  CHECK(ids.size() == 10);
}

TEST_CASE("G113: an event that is too large for NATS, or has no subject there, is a dead letter") {
  nats_broker to(core);
  to.start();
  mirrored here("nats://edu:secret@127.0.0.1:" + std::to_string(to.port()) + "?topic=lessons.{key}",
                mirrored::impatient());
  REQUIRE(publish_lesson(*here, "a b", "0"));
  REQUIRE(publish_lesson(*here, "a\r\nPUB x 0\r\n", "0"));
  REQUIRE(publish_lesson(*here, "*", "0"));
  REQUIRE(publish_lesson(*here, "large", std::string(300'000, 'x')));
  REQUIRE(publish_lesson(*here, "good", "0"));
  here.drain();
  CHECK(to.messages().size() == 1);
  CHECK(here.given_up() == 4);
}

TEST_CASE("G113: TLS to NATS, each with a certificate of its name and of the right CA") {
  nats_broker to(core, nats_broker::security::tls);
  to.start();
  const auto& shown = to.certificates();
  const auto url = [&](const std::string& host, const std::string& ca) {
    return "nats://edu:secret@" + host + ":" + std::to_string(to.port()) +
           "?topic=lessons.{name}&tls=true&ca=" + ca;
  };
  {
    mirrored here(url("localhost", shown.ca()) + shown.of_client());
    here.publish(500);
    check_all_arrive(here, to);
  }
  const std::pair<std::string, std::string> refusals[] = {
      {url("127.0.0.1", shown.ca()) + shown.of_client(), "mismatch"},
      {url("localhost", shown.stranger()) + shown.of_client(), "certificate"},
      {url("localhost", shown.ca()), "does it want a certificate of its clients"},
      {to.url(), "certificate"}}; // the server asks for TLS, and has signed for itself
  for (const auto& [address, word] : refusals) {
    const auto refused = open_transport(address).value();
    eventually([&] { return refused->health().is != transport_health::state::connecting; });
    INFO(address);
    CHECK(refused->health().is == transport_health::state::down);
    CHECK_THAT(refused->health().why, Catch::Matchers::Contains(word));
  }
}

TEST_CASE("G114: CloudEvents in binary mode are headers of NATS, percent-encoded, and a body") {
  nats_broker to(core);
  to.start();
  mirrored here(to.url("&format=cloudevents-json&mark=lyon"), mirrored::impatient());
  publish_options more;
  more.meta = {{"tenant", "\xC3\xA9"
                          "cole 1"},
               {"via", "paris"}};
  more.subject = "math";
  REQUIRE(publish_lesson(*here, "k", "Quantum", more));
  here.drain();
  const auto all = to.messages();
  REQUIRE(all.size() == 1);
  CHECK(all.front().text.find("\"title\":\"Quantum\"") != std::string::npos);
  CHECK(header_of(all.front().headers, "content-type") == "application/json");
  CHECK(header_of(all.front().headers, "ce-specversion") == "1.0");
  CHECK(header_of(all.front().headers, "ce-type") == "lesson.published");
  CHECK(header_of(all.front().headers, "ce-subject") == "math");
  CHECK(header_of(all.front().headers, "ce-partitionkey") == "k");
  CHECK(header_of(all.front().headers, "ce-tenant") == "%C3%A9cole%201");
  CHECK(header_of(all.front().headers, "edupulse-via") == "paris%20lyon");
}

// -- sources
// ---------------------------------------------------------------------------------------

TEST_CASE("G116: a source at JetStream gets what a mirror wrote there, once and in order") {
  nats_broker at(jetstream);
  source_gets_what_a_mirror_wrote(at);
}

TEST_CASE("G116: a source at JetStream goes on when the server has been killed and started") {
  nats_broker at(jetstream);
  source_goes_on_after_a_kill(at);
}

TEST_CASE("G116: a source at JetStream loses nothing to connections that are reset") {
  nats_broker at(jetstream);
  source_goes_on_after_resets(at);
}

TEST_CASE("G116: a source that JetStream refuses is told why in the server's words") {
  nats_broker at(jetstream);
  source_is_refused(at);
}

TEST_CASE("G117: what a source at JetStream cannot read is a dead letter, and can be read again") {
  nats_broker at(jetstream);
  source_buries_what_it_cannot_read(at);
}

TEST_CASE("G116: what a source at JetStream did not acknowledge is the next one's") {
  nats_broker at(jetstream);
  source_that_ends_leaves_its_messages(at);
}

TEST_CASE("G116: sources of a group at JetStream share the messages") {
  nats_broker at(jetstream);
  sources_of_a_group_share(at);
}

TEST_CASE("G116: a source at JetStream waits while the bus has no room") {
  nats_broker at(jetstream);
  source_waits_for_the_bus(at);
}

TEST_CASE("G116: a source at NATS gets what a mirror wrote there, once and in order") {
  nats_broker at(core);
  source_gets_what_a_mirror_wrote(at);
}

TEST_CASE("G116: a source that NATS refuses is told why in the server's words") {
  nats_broker at(core);
  source_is_refused(at);
}

TEST_CASE("G117: what a source at NATS cannot read is a dead letter, and can be read again") {
  nats_broker at(core);
  source_buries_what_it_cannot_read(at);
}

TEST_CASE("G116: sources of a group at NATS share the messages") {
  nats_broker at(core);
  sources_of_a_group_share(at);
}

TEST_CASE("G116: a source at NATS waits while the bus has no room") {
  nats_broker at(core);
  source_waits_for_the_bus(at);
}

TEST_CASE("G116: a source at NATS reads every form that a mirror writes") {
  nats_broker at(GENERATE(core, jetstream));
  source_reads_every_form(at);
}

TEST_CASE("G116: a source at NATS leaves out what a mirror of its cluster sent") {
  nats_broker at(GENERATE(core, jetstream));
  source_leaves_out_echoes(at);
}
