// Mirrors to Kafka.

#include "tests/mirrors/kafka_gate.hpp"
#include "tests/mirrors/mirror_cases.hpp"
#include "tests/mirrors/mirrored.hpp"
#include "tests/mirrors/source_cases.hpp"
#include <algorithm>
#include <ctime>
#include <iostream>

using namespace edupulse;
using namespace edupulse::test;

namespace {

/// Gives up on an event soon, and not on a broker.
subscription_options impatient() {
  auto made = mirrored::quick();
  made.retry.give_up_after = 500ms;
  return made;
}

dead_letter only_dead_letter(mirrored& of) {
  const auto dead = of.dead_letters();
  REQUIRE(dead.size() == 1);
  return dead.front();
}

std::string why_not(const std::string& url) {
  const auto made = open_transport(url);
  REQUIRE_FALSE(made);
  return made.error().text;
}

using Catch::Matchers::Contains;

} // namespace

TEST_CASE("G113: Kafka that is down at first gets everything once it is there") {
  kafka_broker to;
  down_at_start(to);
}

TEST_CASE("G113: Kafka whose brokers all go down and come back misses nothing") {
  kafka_broker to;
  killed_under_load(to, after_kill::has_everything);
}

TEST_CASE("G113: Kafka that hangs is an outage, and misses nothing") {
  kafka_broker to;
  paused_under_load(to);
}

TEST_CASE("G113: Kafka that refuses to authenticate is an outage, in words that say so") {
  kafka_broker to;
  refuses_credentials(to);
}

TEST_CASE("G113: a mirror is swapped to another Kafka under load, and nothing is lost") {
  kafka_broker from;
  kafka_broker to;
  swapped_under_load(from, to);
}

TEST_CASE("G113: a mirror to a Kafka that hangs can be detached") {
  kafka_broker to;
  mirror_that_ends_while_the_server_is_paused(to);
}

TEST_CASE("G113: Kafka that dawdles holds up the mirror, and nobody else") {
  kafka_broker to;
  to.start();
  mirrored here(to.url("&ack_timeout=5s"));
  to.set_delay(100ms);
  here.publish_for(500ms);
  CHECK(here.status().pending > 1000);
  to.set_delay(0ms);
  check_all_arrive(here, to);
}

TEST_CASE("G113: Kafka that goes away while there is nothing to send is seen to be down") {
  kafka_broker to;
  to.start();
  const auto transport = open_transport(to.url()).value();
  mirrored here(transport);
  here.publish(10);
  here.drain();
  CHECK(transport->health().is == transport_health::state::up);
  to.kill();
  eventually([&] { return transport->health().is == transport_health::state::down; });
  CHECK_THAT(transport->health().why, Contains("kafka: 127.0.0.1:"));
  to.start();
  here.publish(10);
  here.drain();
  check_has_all(to.read(), here.published());
}

TEST_CASE(
    "G113: a broker of Kafka that dies leaves its partitions to another, and nothing is lost") {
  kafka_broker to(3);
  to.start();
  mirrored here(to.url());
  here.publish_for(300ms);
  to.kill_one(1);
  here.publish_for(300ms);
  to.lead(2);
  here.publish_for(300ms);
  to.start_one(1);
  to.lead(1);
  here.publish_for(300ms);
  check_all_arrive(here, to);
}

TEST_CASE("G113: Kafka that lacks replicas is an outage until it has them") {
  kafka_broker to;
  to.start();
  to.refuse_next(10'000, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  mirrored here(to.url("&ack_timeout=300ms"));
  here.publish(300);
  eventually([&] { return here.status().state == "unavailable"; });
  to.refuse_no_more();
  check_all_arrive(here, to);
}

TEST_CASE("G113: Kafka that does not want a producer is an outage, and another one is made") {
  kafka_broker to;
  to.start();
  to.refuse_producers(10'000, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  const auto transport = open_transport(to.url()).value();
  eventually([&] { return transport->health().is == transport_health::state::down; });
  CHECK_THAT(transport->health().why, Contains("Cluster authorization failed"));
  mirrored here(transport);
  here.publish(300);
  eventually([&] { return here.status().state == "unavailable"; });
  to.refuse_no_more();
  check_all_arrive(here, to);
}

TEST_CASE("G113: more than librdkafka keeps for Kafka is an outage that passes") {
  kafka_broker to;
  to.start();
  mirrored here(to.url("&rdkafka.queue.buffering.max.messages=10&linger=50ms"));
  here.publish(100);
  eventually([&] { return here.status().state == "unavailable"; });
  check_all_arrive(here, to);
}

TEST_CASE("G113: an event that is too large for Kafka is a dead letter with its words") {
  kafka_broker to;
  to.start();
  mirrored here(to.url("&rdkafka.message.max.bytes=2000"));
  REQUIRE(publish_lesson(*here, "k", std::string(5000, 'x')));
  here.publish(10);
  here.drain();
  CHECK(only_dead_letter(here).reason == "kafka: topic lessons: Broker: Message size too large");
  CHECK(to.read().size() == 10);
}

TEST_CASE("G113: events that Kafka refuses for another one's sake are sent alone, and arrive") {
  kafka_broker to;
  to.start();
  mirrored here(to.url("&linger=100ms"));
  here.publish(1); // of which the mirror learns where the partitions are
  here.drain();
  to.refuse_next(2, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  here.publish(100);
  check_all_arrive(here, to);
}

TEST_CASE("G113: an event that Kafka refuses alone is a dead letter with its words") {
  kafka_broker to;
  to.start();
  mirrored here(to.url());
  to.refuse_next(2, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  here.publish(1);
  here.drain();
  CHECK_THAT(only_dead_letter(here).reason,
             Contains("kafka: topic lessons: Broker: Broker failed to validate record"));
  here.publish(10);
  here.drain();
  CHECK(to.read().size() == 10);
}

TEST_CASE(
    "G113: an event for a topic that Kafka does not have is tried again, then a dead letter") {
  kafka_broker to;
  to.start();
  to.refuse_topic("lessons", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  mirrored here(to.url(), impatient());
  here.publish(1);
  here.drain();
  CHECK_THAT(only_dead_letter(here).attempts.back().text,
             Contains("kafka: topic lessons: ") && Contains("Unknown topic"));
  to.refuse_topic("lessons", RD_KAFKA_RESP_ERR_NO_ERROR);
  REQUIRE(here->redrive(only_dead_letter(here).id));
  here.drain();
  eventually([&] { return here.given_up() == 0; });
  CHECK(to.read().size() == 1);
}

TEST_CASE("G113: an event for a topic that Kafka does not let us write is a dead letter") {
  kafka_broker to;
  to.start();
  to.refuse_next(1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  mirrored here(to.url());
  here.publish(1);
  here.drain();
  CHECK(only_dead_letter(here).reason ==
        "kafka: topic lessons: Broker: Topic authorization failed");
}

TEST_CASE("G113: an event whose topic cannot be one of Kafka is a dead letter that says why") {
  kafka_broker to;
  to.start();
  mirrored here("kafka://" + to.hosts() + "?topic={key}");
  for (const std::string key : {"a b", "a/b", "..", "\xC3\xA9", "Good_1.x-y"})
    REQUIRE(publish_lesson(*here, key));
  REQUIRE(publish_lesson(*here, std::string(250, 'x')));
  REQUIRE(publish_lesson(*here, std::string(249, 'x')));
  here.drain();
  const auto dead = here->dead_letters().value();
  CHECK(dead.size() == 5);
  for (const auto& one : dead)
    CHECK_THAT(one.reason, Contains("is no topic of Kafka: 1 to 249 of a-z"));
  CHECK(read_kafka(to.hosts(), "Good_1.x-y").size() == 1);
}

TEST_CASE("G114: CloudEvents in binary mode are headers of Kafka, with the key and the time") {
  kafka_broker to;
  to.start();
  mirrored here(to.url("&format=cloudevents-json&mark=lyon"));
  publish_options more{.subject = "math"};
  more.meta = {{"tenant", "\xC3\xA9"
                          "cole 1"},
               {"via", "paris"}};
  REQUIRE(publish_lesson(*here, "k", "Quantum", more));
  REQUIRE(publish_lesson(*here, "", "no key"));
  here.drain();
  auto all = read_kafka(to.hosts(), "lessons");
  REQUIRE(all.size() == 2);
  std::ranges::sort(all, {}, &kafka_message::key);
  CHECK_FALSE(all.front().key);
  const auto& one = all.back();
  CHECK(one.key == "k");
  CHECK_THAT(one.value, Contains("\"title\":\"Quantum\""));
  CHECK(one.timestamp_ms > 1'600'000'000'000);
  CHECK(header_of(one.headers, "content-type") == "application/json");
  CHECK(header_of(one.headers, "ce_specversion") == "1.0");
  CHECK(header_of(one.headers, "ce_type") == "lesson.published");
  CHECK(header_of(one.headers, "ce_subject") == "math");
  CHECK(header_of(one.headers, "ce_partitionkey") == "k");
  CHECK(header_of(one.headers, "ce_tenant") == "\xC3\xA9"
                                               "cole 1");
  CHECK(header_of(one.headers, "edupulse-via") == "paris lyon");
}

TEST_CASE("G113: an address of Kafka that makes no sense is refused, with what is wrong") {
  CHECK_THAT(why_not("kafka://"), Contains("with one host or more and no path"));
  CHECK_THAT(why_not("kafka://h/lessons"), Contains("with one host or more and no path"));
  CHECK(why_not("kafka://h?acks=2") == "setting acks=\"2\" must be all or 1");
  CHECK_THAT(why_not("kafka://h?compression=rar"), Contains("kafka: Invalid value \"rar\""));
  CHECK_THAT(why_not("kafka://h?security=tls"), Contains("security.protocol"));
  CHECK(why_not("kafka://h?rdkafka.lingerms=5") ==
        "kafka: No such configuration property: \"lingerms\"");
  CHECK_THAT(why_not("kafka://h?akcs=1"), Contains("did you mean \"acks\"?"));
  CHECK(open_transport("kafka://h,h2:9093?acks=1&compression=zstd&linger=1s&connect_timeout=1ms&"
                       "rdkafka.debug=all"));
}

namespace {

/// That EDUPULSE_TEST_KAFKA names, as in an address: `user:password@host:9092?ca=...`.
class kafka_of_yours final : public broker {
public:
  explicit kafka_of_yours(const std::string& where)
      : url_("kafka://" + where + (where.find('?') == std::string::npos ? "?" : "&") +
             "topic=edupulse-test-" + std::to_string(std::time(nullptr))) {}
  void start() override {}
  std::string url_of(std::uint16_t, const std::string& settings) const override {
    return url_ + settings;
  }
  std::string url_of_stranger() const override { return url_; }
  std::string refusal() const override { return {}; }
  std::vector<seen_event> read() override { return {}; }

private:
  const std::string url_;
};

} // namespace

TEST_CASE("G113, G116: a Kafka of yours gets everything, and a source has it from there") {
  const char* where = std::getenv("EDUPULSE_TEST_KAFKA");
  if (where == nullptr) {
    std::cout << "skipped: EDUPULSE_TEST_KAFKA names no Kafka\n";
    return;
  }
  kafka_of_yours at(where);
  source_gets_what_a_mirror_wrote(at);
}

TEST_CASE("G113: Kafka over TLS is shown a password and a certificate, and gets everything") {
  for (const auto* mechanism : {"PLAIN", "SCRAM-SHA-512"}) {
    guarded_kafka to(mechanism);
    refuses_credentials(to);
  }
}

TEST_CASE("G113: Kafka over TLS that is shown no certificate is an outage, in words that say so") {
  guarded_kafka to("PLAIN");
  to.start();
  mirrored here(to.url_without_certificate());
  here.publish(1);
  here.await_why("certificate required");
}

// -- sources
// ---------------------------------------------------------------------------------------

TEST_CASE("G116: a source at Kafka gets what a mirror wrote there, once and in order") {
  kafka_broker at;
  source_gets_what_a_mirror_wrote(at);
}

TEST_CASE("G116: a source at Kafka over TLS shows a password and a certificate") {
  guarded_kafka at("SCRAM-SHA-512");
  source_gets_what_a_mirror_wrote(at);
  source_is_refused(at);
}

TEST_CASE("G116: a source at Kafka goes on when the server has been killed and started") {
  kafka_broker at;
  source_goes_on_after_a_kill(at);
}

TEST_CASE("G116: a source that Kafka refuses is told why in the server's words") {
  kafka_broker at;
  source_is_refused(at);
}

TEST_CASE("G117: what a source at Kafka cannot read is a dead letter, and can be read again") {
  kafka_broker at;
  source_buries_what_it_cannot_read(at);
}

TEST_CASE("G116: what a source at Kafka did not acknowledge is the next one's") {
  kafka_broker at;
  source_that_ends_leaves_its_messages(at);
}

TEST_CASE("G116: sources of a group at Kafka share the messages") {
  kafka_broker at;
  sources_of_a_group_share(at);
}

TEST_CASE("G116: a source at Kafka waits while the bus has no room") {
  kafka_broker at;
  source_waits_for_the_bus(at);
}

TEST_CASE("G116: a source at Kafka reads every form that a mirror writes") {
  kafka_broker at;
  source_reads_every_form(at);
}

TEST_CASE("G116: a source at Kafka leaves out what a mirror of its cluster sent") {
  kafka_broker at;
  source_leaves_out_echoes(at);
}
