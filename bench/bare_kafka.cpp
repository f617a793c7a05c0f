// Kafka by librdkafka: its idempotent producer, as its defaults have it but for the same wait for
// others as a mirror's. The cluster is the one that librdkafka brings along for tests, in a process
// of its own.

#include "bare_clients.hpp"
#include "contender.hpp"
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

namespace bench {

namespace {

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "kafka: %s\n", why);
  std::exit(1);
}

rd_kafka_conf_t* settings(const std::vector<std::pair<const char*, const char*>>& all) {
  char why[512];
  auto* made = rd_kafka_conf_new();
  for (const auto& [name, value] : all)
    if (rd_kafka_conf_set(made, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
      give_up(why);
  rd_kafka_conf_set_log_cb(made, [](const rd_kafka_t*, int, const char*, const char*) {});
  return made;
}

rd_kafka_t* make_producer(rd_kafka_conf_t* from) {
  char why[512];
  auto* made = rd_kafka_new(RD_KAFKA_PRODUCER, from, why, sizeof why);
  if (made == nullptr)
    give_up(why);
  return made;
}

/// Until its input is closed.
int serve(const std::vector<std::string>&) {
  auto* owner = make_producer(settings({}));
  auto* cluster = rd_kafka_mock_cluster_new(owner, 1);
  rd_kafka_mock_topic_create(cluster, "lessons", 4, 1);
  say(std::string("address ") + rd_kafka_mock_cluster_bootstraps(cluster));
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

std::unique_ptr<broker_server> start_cluster() {
  auto made = std::make_unique<broker_server>();
  made->process = std::make_unique<child>(child::role("kafka_cluster"));
  made->address = made->process->expect("address");
  made->url = "kafka://" + made->address + "?topic=lessons";
  return made;
}

/// As the events of a mirror have them: what has a key goes to the partition of that key.
std::vector<std::string> keys_of_lessons() {
  std::vector<std::string> all;
  for (int i = 0; i < 10'000; ++i)
    all.push_back("lesson-" + std::to_string(10'000'000 + i));
  return all;
}

void publish(const broker_server& to, std::uint64_t events, const std::string& body,
             const std::string& content_type) {
  std::uint64_t confirmed = 0;
  auto* how = settings({{"bootstrap.servers", to.address.c_str()},
                        {"enable.idempotence", "true"},
                        {"partitioner", "murmur2_random"},
                        {"linger.ms", "5"}});
  rd_kafka_conf_set_opaque(how, &confirmed);
  rd_kafka_conf_set_dr_msg_cb(how, [](rd_kafka_t*, const rd_kafka_message_t* what, void* count) {
    if (what->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      give_up(rd_kafka_err2str(what->err));
    ++*static_cast<std::uint64_t*>(count);
  });
  auto* producer = make_producer(how);
  const auto keys = keys_of_lessons();
  for (std::uint64_t sent = 0; sent < events;) {
    const auto& key = keys[sent % keys.size()];
    auto* headers = rd_kafka_headers_new(1);
    rd_kafka_header_add(headers, "content-type", -1, content_type.data(),
                        static_cast<ssize_t>(content_type.size()));
    const auto code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC("lessons"), RD_KAFKA_V_KEY(key.data(), key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(body.data()), body.size()), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++sent;
    } else {
      rd_kafka_headers_destroy(headers);
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        give_up(rd_kafka_err2str(code));
      rd_kafka_poll(producer, 10);
    }
    rd_kafka_poll(producer, 0);
  }
  while (confirmed < events)
    rd_kafka_poll(producer, 100);
  rd_kafka_destroy(producer);
}

} // namespace

void add_kafka_roles(roles& to) { to["kafka_cluster"] = serve; }

bare_client bare_kafka() { return {"kafka", "", 500'000, start_cluster, publish}; }

} // namespace bench
