#pragma once
// RabbitMQ, read: a consumer of one queue, which the broker gives so many messages that are not
// acknowledged and no more. https://www.rabbitmq.com/docs/consumer-prefetch

#include "runtime/transports/broker_source.hpp"
#include "runtime/transports/done_prefix.hpp"
#include "runtime/transports/rabbitmq_client.hpp"
#include <vector>

namespace edupulse {

struct rabbitmq_source_options {
  std::string exchange = "edupulse"; ///< that the queue is bound to, if there are topics
  bool declare = true;               ///< else queue and exchange are there already
  std::uint16_t prefetch = 512;
};

class rabbitmq_source final : public broker_source {
public:
  rabbitmq_source(rabbitmq_login login, rabbitmq_source_options how, source_settings all)
      : broker_source(std::move(all)), login_(std::move(login)), how_(std::move(how)) {}
  ~rabbitmq_source() override { rabbitmq::say_goodbye(from_); }

  std::string_view name() const noexcept override { return "rabbitmq"; }
  expected<void> connect(std::string_view client) override;
  expected<std::vector<inbound_message>> receive(duration patience) override;
  expected<void> acknowledge(std::span<const std::uint64_t> tokens) override;
  expected<void> keep_alive() override;
  void close() noexcept override { rabbitmq::say_goodbye(from_); }

private:
  expected<void> prepare();
  expected<void> bind();
  expected<void> read(duration patience);
  expected<void> see_method();
  expected<void> acknowledge(std::uint64_t tag, bool all_before);
  tl::unexpected<error> over(tl::unexpected<error> why);

  const rabbitmq_login login_;
  const rabbitmq_source_options how_;
  rabbitmq::connection from_;
  std::vector<inbound_message> arrived_; ///< bounded by the prefetch
  done_prefix open_;                     ///< delivery tags
};

} // namespace edupulse
