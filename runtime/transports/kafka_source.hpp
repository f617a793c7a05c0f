#pragma once
// Kafka, read: a member of a consumer group, which commits how far the bus has come in each
// partition. https://kafka.apache.org/documentation/#consumerconfigs

#include "runtime/transports/broker_source.hpp"
#include "runtime/transports/done_prefix.hpp"
#include "runtime/transports/kafka_session.hpp"
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

struct rd_kafka_topic_partition_list_s;

namespace edupulse {

class kafka_source final : public broker_source {
public:
  /// `how` has all properties; the callbacks are ours.
  kafka_source(kafka_conf how, std::size_t batch, source_settings all);
  ~kafka_source() override { end(); }

  std::string_view name() const noexcept override { return "kafka"; }
  expected<void> connect(std::string_view client) override;
  expected<std::vector<inbound_message>> receive(duration patience) override;
  expected<void> acknowledge(std::span<const std::uint64_t> tokens) override;
  /// A consumer that does not ask for messages is taken for dead: this one asks, and gets none.
  expected<void> keep_alive() override;
  void close() noexcept override { end(); }

private:
  struct closer {
    void operator()(rd_kafka_s* what) const noexcept;
  };
  using partition = std::pair<std::string, std::int32_t>;
  struct place {
    partition at;
    std::uint64_t offset;
  };

  expected<void> look_for_brokers();
  expected<void> subscribe();
  expected<void> poll(duration patience);
  void keep(const rd_kafka_message_s& what);
  void pause(bool yes);
  void commit(bool waits);
  void on_rebalance(int code, rd_kafka_topic_partition_list_s* what);
  tl::unexpected<error> over();
  void end() noexcept;

  const kafka_conf how_;
  const std::size_t batch_;
  std::unique_ptr<rd_kafka_s, closer> from_;
  std::vector<inbound_message> arrived_;
  std::map<partition, done_prefix> read_;
  std::map<partition, std::uint64_t> to_commit_;  ///< the first offset that is not done
  std::unordered_map<std::uint64_t, place> open_; ///< by token: not acknowledged
  std::uint64_t last_token_ = 0;
  time_point next_commit_{};
  bool paused_ = false;
  std::string outage_;     ///< why this connection is over; empty: it is not
  std::string last_error_; ///< of a connection
};

} // namespace edupulse
