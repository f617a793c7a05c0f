#pragma once
// What the transports to brokers have in common: a thread of their own, which turns events into
// messages, connects, and answers.
//
// There is no clock for connecting again. While the broker is gone every event is answered
// `unavailable`, and so the mirror's breaker decides when the next one comes, and with it the next
// attempt to connect: one policy for outages, that of every subscription.

#include "runtime/descriptor.hpp"
#include "runtime/transports/broker_session.hpp"
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace edupulse {

struct broker_options {
  std::string name;  ///< for people: `nats`
  std::string where; ///< for people, without passwords
  message_options message;
  /// Messages in one `send`. Too small: a round trip per few events. Too large: a longer wait for
  /// the first of them.
  std::size_t batch = 512;
  std::uint32_t window = subscription_options{}.window; ///< see `transport::window`
};

class broker_transport final : public transport {
public:
  /// Begins to connect. Errors: `io`, without a file descriptor to be woken by.
  static expected<transport_ptr> make(broker_options how, std::unique_ptr<broker_session> session);
  /// Waits for what the session is in the middle of, which its time limits bound. What has not been
  /// answered is dropped, and so sent again by the successor.
  ~broker_transport() override;

  std::string_view name() const noexcept override { return how_.name; }
  std::string where() const override { return how_.where; }
  std::uint32_t window() const noexcept override { return how_.window; }
  transport_health health() const override;
  /// The queue is bounded by the mirror's window: what is in it has not been answered.
  void publish(std::vector<outbound_event> batch) override;

private:
  broker_transport(broker_options how, std::unique_ptr<broker_session> session, int wake);
  void run();
  std::vector<outbound_event> take();
  void connect();
  void send(std::vector<outbound_event> batch);
  void refuse_all(std::vector<outbound_event> batch);
  void see(const expected<void>& how);
  void set_health(transport_health::state is, std::string why);
  void wake() const noexcept;
  void await_wake() const noexcept;

  const broker_options how_;
  const std::unique_ptr<broker_session> session_; ///< of the thread
  bool up_ = false;                               ///< of the thread
  const descriptor wake_;
  mutable std::mutex mutex_;
  transport_health health_{transport_health::state::connecting};
  std::deque<outbound_event> waiting_;
  bool ended_ = false;
  std::thread thread_;
};

} // namespace edupulse
