#pragma once
// A Kafka cluster that is part of librdkafka: it speaks the protocol over TCP, keeps what it is
// given in memory, and fails on command. And a reader of Kafka's topics, which knows nothing of it.
//
// It does not authenticate (kafka_gate.hpp does), and it lives in the process of the test: `kill`
// closes its connections and those that come, and loses nothing.

#include "tests/mirrors/broker.hpp"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <optional>
#include <utility>

namespace edupulse::test {

struct kafka_message {
  std::optional<std::string> key;
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;
  std::int64_t timestamp_ms = 0;
};

/// All that is in a topic, in the order of each partition, read with a bare consumer.
std::vector<kafka_message> read_kafka(const std::string& hosts, const std::string& topic);

class kafka_broker : public broker {
public:
  /// They are called 1, 2, 3... and share the partitions of the topic `lessons`.
  explicit kafka_broker(int brokers = 1);
  ~kafka_broker() override;

  void start() override;
  void kill() override;
  void pause() override { set_delay(std::chrono::hours(1)); }
  void resume() override;
  std::string url_of(std::uint16_t, const std::string& settings) const override;
  std::string source_url(std::uint16_t, const std::string& settings) const override {
    return "kafka://" + hosts() + "?topic=lessons&ack_timeout=1s&connect_timeout=500ms" +
           quick_group + settings;
  }
  /// It ends the process when a member comes back while it waits for who the member was before.
  std::chrono::milliseconds forgets_readers_after() const override {
    return std::chrono::seconds(7);
  }
  std::string url_of_stranger() const override;
  std::string refusal() const override;
  std::vector<seen_event> read() override;

  std::string hosts() const { return ::rd_kafka_mock_cluster_bootstraps(cluster_); }
  /// Between a request and its answer.
  void set_delay(std::chrono::milliseconds span);
  void kill_one(int which);
  void start_one(int which);
  /// It leads all partitions of `lessons` from now on.
  void lead(int which);
  /// The next requests to produce are answered so, whatever is in them.
  void refuse_next(std::size_t requests, rd_kafka_resp_err_t with);
  /// The next requests for the id of a producer.
  void refuse_producers(std::size_t requests, rd_kafka_resp_err_t with);
  void refuse_no_more(); ///< of both
  /// Whoever asks for the topic; until it is refused with no error.
  void refuse_topic(const std::string& topic, rd_kafka_resp_err_t with);

protected:
  /// A member of the group that has gone is not waited for long.
  static constexpr auto quick_group =
      "&rdkafka.session.timeout.ms=6000&rdkafka.heartbeat.interval.ms=500";

private:
  static constexpr int partitions = 6; ///< it forgets what is more than 5 MB in one of them

  static void settle();

  rd_kafka_t* owner_;
  rd_kafka_mock_cluster_t* cluster_;
};

} // namespace edupulse::test
