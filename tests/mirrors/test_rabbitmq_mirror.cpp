// Mirrors to RabbitMQ.

#include "tests/mirrors/mirror_cases.hpp"
#include "tests/mirrors/mirrored.hpp"
#include "tests/mirrors/rabbitmq_broker.hpp"
#include "tests/mirrors/source_cases.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/tcp_proxy.hpp"
#include <algorithm>
#include <edupulse/node.hpp>
#include <edupulse/transports.hpp>
#include <set>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

/// The one server of all these tests, which the first of them starts.
rabbitmq_broker& shared() {
  static rabbitmq_broker made;
  return made;
}

/// The titles all have `bytes`.
void publish_sized(mirrored& to, int count, std::size_t bytes) {
  for (int i = 0; i < count; ++i)
    REQUIRE(publish_lesson(*to, "s" + std::to_string(i), std::string(bytes, '7')));
}

std::size_t ids_in(const std::vector<rabbitmq_broker::message>& seen) {
  std::set<std::string> ids;
  for (const auto& one : seen)
    ids.insert(one.id);
  return ids.size();
}

} // namespace

TEST_CASE("G113: RabbitMQ that is down at first gets everything once it is there") {
  rabbitmq_broker& to = shared();
  to.kill();
  down_at_start(to);
}

TEST_CASE("G113: RabbitMQ that is killed and started again misses nothing") {
  killed_under_load(shared(), after_kill::has_everything);
}

TEST_CASE("G113: RabbitMQ that hangs is an outage, and misses nothing") {
  paused_under_load(shared());
}

TEST_CASE("G113: RabbitMQ that refuses a password is an outage, in its own words") {
  refuses_credentials(shared());
}

TEST_CASE("G113: connections to RabbitMQ that are reset again and again lose nothing") {
  connection_reset_again_and_again(shared());
}

TEST_CASE("G113: a slow network to RabbitMQ holds up the mirror, and nobody else") {
  slow_network(shared());
}

TEST_CASE("G113: a mirror is swapped to another RabbitMQ under load, and nothing is lost") {
  rabbitmq_broker other;
  swapped_under_load(shared(), other);
}

TEST_CASE("G113: a mirror to a RabbitMQ that hangs can be detached") {
  mirror_that_ends_while_the_server_is_paused(shared());
}

TEST_CASE("G113: RabbitMQ whose disk is full is an outage in its own words, and misses nothing") {
  auto& to = shared();
  to.start();
  to.call("rabbit_disk_monitor set_disk_free_limit [\"8000GB\"]");
  eventually([&] { return to.call("rabbit_alarm get_alarms []") != "[]"; });
  mirrored here(to.url("&ack_timeout=300ms"));
  here.publish(2000);
  std::string words;
  eventually([&] {
    words = here.why();
    return words.find("low on disk") != words.npos;
  });
  CHECK_THAT(words, Contains("no confirmation within 300 ms"));
  eventually([&] { return here.status().state == "unavailable"; });
  to.call("rabbit_disk_monitor set_disk_free_limit [\"1MB\"]");
  here.drain();
  CHECK(ids_in(to.read_messages()) == 2000);
  CHECK(here.dead_letters().empty());
}

TEST_CASE("G113: what no queue of RabbitMQ takes is a dead letter, in its own words") {
  auto& to = shared();
  to.start();
  mirrored here(to.url("&exchange=nobody"));
  here.publish(3);
  here.drain();
  REQUIRE(here.given_up() == 3);
  CHECK_THAT(here.dead_letters().front().reason, Contains("NO_ROUTE"));
  CHECK_THAT(here.dead_letters().front().reason, Contains("nobody"));

  mirrored careless(to.url("&exchange=nobody&mandatory=false"));
  careless.publish(3);
  careless.drain();
  CHECK(careless.dead_letters().empty());
}

TEST_CASE("G113: RabbitMQ refuses an event that is too large, and gets all the others") {
  auto& to = shared();
  to.start();
  mirrored here(to.url());
  here.publish(50);
  publish_sized(here, 1, 920'000);
  here.publish(50);
  publish_sized(here, 1, 1'010'000);
  here.publish(50);
  here.drain();
  const auto seen = to.read_messages();
  CHECK(ids_in(seen) == 151);
  CHECK(std::ranges::count_if(seen, [](const auto& one) { return one.body.size() > 920'000; }) > 0);
  REQUIRE(here.given_up() == 1);
  CHECK_THAT(here.dead_letters().front().reason, Contains("PRECONDITION_FAILED"));
}

TEST_CASE("G113: a routing key that AMQP does not take is a dead letter, and harms no other") {
  auto& to = shared();
  to.start();
  mirrored here("amqp://school:secret@127.0.0.1:" + std::to_string(to.port()) +
                "?exchange=amq.topic&declare=false&mandatory=false&topic=of.{key}");
  here.publish(20);
  REQUIRE(publish_lesson(*here, std::string(300, 'k')));
  here.publish(20);
  here.drain();
  REQUIRE(here.given_up() == 1);
  CHECK_THAT(here.dead_letters().front().reason, Contains("303 bytes, and AMQP allows 255"));
}

TEST_CASE("G113: a message of RabbitMQ has the event's id, type and attributes") {
  auto& to = shared();
  to.start();
  mirrored here(to.url("&format=cloudevents-json&mark=here"));
  const auto id = publish_lesson(*here, "k1", "algebra");
  REQUIRE(id);
  here.drain();
  const auto seen = to.read_messages();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].id == to_string(id->id()));
  CHECK(seen[0].type == "lesson.published");
  CHECK(seen[0].content_type == "application/json");
  CHECK(seen[0].persistent);
  CHECK(header_of(seen[0].headers, "cloudEvents:id") == seen[0].id);
  CHECK(header_of(seen[0].headers, "cloudEvents:type") == "lesson.published");
  CHECK(header_of(seen[0].headers, "edupulse-via") == "here");
}

TEST_CASE("G113: an event that RabbitMQ does not take is sent again until it does") {
  auto& to = shared();
  to.start();
  mirrored here("amqp://school:secret@127.0.0.1:" + std::to_string(to.port()) + "?topic=small");
  here.publish(30); // the queue takes ten, and refuses the others: basic.nack
  std::size_t read = 0;
  eventually([&] { return here.status().state == "unavailable"; });
  here.await_why("basic.nack");
  eventually([&] {
    read += to.empty("small");
    return here.status().pending == 0;
  });
  CHECK(read + to.empty("small") == 30);
  CHECK(here.given_up() == 0);
}

TEST_CASE(
    "G113: a mirror to RabbitMQ that has nothing to send keeps its connection by heartbeats") {
  auto& to = shared();
  to.start();
  tcp_proxy network(to.port());
  mirrored here(to.url_of(network.port(), "&heartbeat=1s"), to.pace());
  here.publish(10);
  here.drain();
  rest(4s); // the server ends one that has been silent for two heartbeats
  here.publish(10);
  check_all_arrive(here, to);
  CHECK(network.connections() == 1);
}

TEST_CASE("G113: TLS to RabbitMQ, each with a certificate of its name and of the right CA") {
  auto& to = shared();
  to.start();
  const auto& shown = to.certificates();
  {
    mirrored here(to.tls_url("localhost", shown.ca()) + shown.of_client());
    publish_sized(here, 500, 1000);
    here.drain();
    CHECK(ids_in(to.read_messages()) == 500);
  }
  const std::pair<std::string, std::string> refusals[] = {
      {to.tls_url("127.0.0.1", shown.ca()) + shown.of_client(), "hostname"},
      {to.tls_url("localhost", shown.stranger()) + shown.of_client(), "peer"},
      {to.tls_url("localhost", shown.ca()), "no login"}, // without one of its own
      {to.tls_url("localhost", shown.dir + "none"), "no authority can be read"}};
  for (const auto& [url, word] : refusals) {
    const auto refused = open_transport(url).value();
    eventually([&] { return refused->health().is != transport_health::state::connecting; });
    CHECK(refused->health().is == transport_health::state::down);
    CHECK_THAT(refused->health().why, Contains(word));
  }
}

// -- sources
// ---------------------------------------------------------------------------------------

TEST_CASE("G116: a source at RabbitMQ gets what a mirror wrote there, once and in order") {
  source_gets_what_a_mirror_wrote(shared());
}

TEST_CASE("G116: a source at RabbitMQ goes on when the server has been killed and started") {
  source_goes_on_after_a_kill(shared());
}

TEST_CASE("G116: a source at RabbitMQ loses nothing to connections that are reset") {
  source_goes_on_after_resets(shared());
}

TEST_CASE("G116: a source that RabbitMQ refuses is told why in the server's words") {
  source_is_refused(shared());
}

TEST_CASE("G117: what a source at RabbitMQ cannot read is a dead letter, and can be read again") {
  source_buries_what_it_cannot_read(shared());
}

TEST_CASE("G116: what a source at RabbitMQ did not acknowledge is the next one's") {
  source_that_ends_leaves_its_messages(shared());
}

TEST_CASE("G116: sources of a group at RabbitMQ share the messages") {
  sources_of_a_group_share(shared());
}

TEST_CASE("G116: a source at RabbitMQ waits while the bus has no room") {
  source_waits_for_the_bus(shared(), {.settings = "&heartbeat=1s", .wait = 4s});
}

TEST_CASE("G116: a source at RabbitMQ reads every form that a mirror writes") {
  source_reads_every_form(shared());
}

TEST_CASE("G116: a source at RabbitMQ leaves out what a mirror of its cluster sent") {
  source_leaves_out_echoes(shared());
}
