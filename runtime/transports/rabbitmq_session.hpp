#pragma once
// RabbitMQ: AMQP 0-9-1 with publisher confirms, many at a time.
// https://www.rabbitmq.com/docs/confirms

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/rabbitmq_client.hpp"
#include "runtime/transports/rabbitmq_confirms.hpp"
#include <string>

namespace edupulse {

struct rabbitmq_options {
  std::string exchange = "edupulse"; ///< empty: the default one, whose routing keys name queues
  bool declare = true;               ///< else the exchange is there already, of whatever type
  bool mandatory = true;             ///< what no queue takes is refused
};

class rabbitmq_session final : public broker_session {
public:
  rabbitmq_session(rabbitmq_login login, rabbitmq_options how)
      : login_(std::move(login)), how_(std::move(how)) {}
  ~rabbitmq_session() override { rabbitmq::say_goodbye(to_); }

  expected<void> connect() override;
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  expected<void> prepare();
  int publish(const broker_message& message, const envelope& event);
  expected<void> check(const broker_message& message) const;
  expected<void> read_arrived();
  expected<void> see(const amqp_frame_t& frame);
  expected<void> see_method(const amqp_method_t& method);
  expected<void> check_deadline();
  std::string no_confirmation() const;
  int patience() const;
  tl::unexpected<error> over(const std::string& why);

  const rabbitmq_login login_;
  const rabbitmq_options how_;
  rabbitmq::connection to_;
  rabbitmq_confirms open_;
  std::string returning_; ///< why the message is returned whose header comes next
  std::string blocked_;   ///< why the broker reads nothing at present
};

} // namespace edupulse
