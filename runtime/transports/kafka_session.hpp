#pragma once
// Kafka: an idempotent producer of librdkafka, which keeps the order and the connections. A new one
// for each connection of ours, so that nothing of an outage outlives it.

#include "runtime/descriptor.hpp"
#include "runtime/transports/broker_session.hpp"
#include <memory>
#include <string>
#include <vector>

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_message_s;

namespace edupulse {

struct kafka_conf_closer {
  void operator()(rd_kafka_conf_s* what) const noexcept;
};
using kafka_conf = std::unique_ptr<rd_kafka_conf_s, kafka_conf_closer>;

class kafka_session final : public broker_session {
public:
  /// `how` has all properties; the callbacks are ours.
  kafka_session(kafka_conf how, duration connect_timeout);
  ~kafka_session() override;

  expected<void> connect() override;
  /// Does not wait for confirmations, but for messages that were refused together: see `suspects_`.
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  struct closer {
    void operator()(rd_kafka_s* what) const noexcept;
  };
  /// What librdkafka carries for us until it reports.
  struct letter {
    outgoing what;
    bool alone = false; ///< in its request
  };

  void produce(std::unique_ptr<letter> one);
  expected<void> serve();
  void send_suspects();
  void answer(std::unique_ptr<letter> one, int code);
  void tell_stored() { deferral::complete_all(stored_, outcome::ok()); }
  void note_error(int code, const char* words);
  void close();
  tl::unexpected<error> over();
  static void on_delivery(rd_kafka_s*, const rd_kafka_message_s* what, void* session);

  const kafka_conf how_;
  const duration connect_timeout_;
  const descriptor ready_; ///< librdkafka writes to it when it has something to say
  std::unique_ptr<rd_kafka_s, closer> to_;
  std::size_t in_flight_ = 0;
  /// Brokers refuse a whole request for one message in it. These were in such a request, and each
  /// goes once more, in one of its own.
  std::vector<std::unique_ptr<letter>> suspects_;
  std::vector<deferral> stored_; ///< to be told together
  std::string outage_;           ///< why this connection is over; empty: it is not
  std::string last_error_;       ///< of a connection, since something was delivered
  bool lost_ = false;            ///< no broker is connected, or this producer is of no use any more
  bool dropping_ = false;        ///< what is open is not answered, and so sent again by a successor
};

} // namespace edupulse
