// The Kafka cluster that is part of librdkafka, as a program: says where it is, and lives until its
// standard input ends. For docs/mirrors/kafka.md, whose commands need a Kafka.

#include <cstdio>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

int main() {
  char why[512];
  auto* conf = ::rd_kafka_conf_new();
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  auto* owner = ::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (owner == nullptr)
    return std::fprintf(stderr, "%s\n", why), 1;
  auto* cluster = ::rd_kafka_mock_cluster_new(owner, 1);
  std::printf("%s\n", ::rd_kafka_mock_cluster_bootstraps(cluster));
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  ::rd_kafka_mock_cluster_destroy(cluster);
  ::rd_kafka_destroy(owner);
  return 0;
}
