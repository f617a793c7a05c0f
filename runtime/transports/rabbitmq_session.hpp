#pragma once
// RabbitMQ: AMQP 0-9-1 with publisher confirms, many at a time.
// https://www.rabbitmq.com/docs/confirms

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/broker_url.hpp"
#include "runtime/transports/rabbitmq_confirms.hpp"
#include <memory>
#include <string>

struct amqp_connection_state_t_;
struct amqp_frame_t_;
struct amqp_method_t_;

namespace edupulse {

struct rabbitmq_options {
  host_port at;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  std::string exchange = "edupulse"; ///< empty: the default one, whose routing keys name queues
  bool declare = true;               ///< else the exchange is there already, of whatever type
  bool mandatory = true;             ///< what no queue takes is refused
  duration heartbeat = std::chrono::seconds(10);
  duration connect_timeout{}; ///< of each step
  duration ack_timeout{};     ///< for the next confirmation
  bool tls = false;           ///< `amqps`
  std::string ca;
  std::string certificate; ///< empty: none is shown
  std::string key;
};

class rabbitmq_session final : public broker_session {
public:
  explicit rabbitmq_session(rabbitmq_options how) : how_(std::move(how)) {}
  ~rabbitmq_session() override;

  expected<void> connect() override;
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  struct closer {
    void operator()(amqp_connection_state_t_* what) const noexcept;
  };
  expected<void> open();
  expected<void> log_in();
  expected<void> prepare();
  expected<void> last_reply();

  int publish(const broker_message& message, const envelope& event);
  expected<void> check(const broker_message& message) const;
  expected<void> read_arrived();
  expected<void> see(const amqp_frame_t_& frame);
  expected<void> see_method(const amqp_method_t_& method);
  expected<void> check_deadline();
  std::string no_confirmation() const;
  int patience() const;
  tl::unexpected<error> over(const std::string& why);

  const rabbitmq_options how_;
  std::unique_ptr<amqp_connection_state_t_, closer> to_;
  rabbitmq_confirms open_;
  std::string returning_; ///< why the message is returned whose header comes next
  std::string blocked_;   ///< why the broker reads nothing at present
};

} // namespace edupulse
