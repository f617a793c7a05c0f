#pragma once
// NATS, read. Core: a subscription, in a queue group with others; what nobody listens to is gone,
// and there is nothing to acknowledge. JetStream: a durable pull consumer, whose messages come
// again until they are acknowledged. https://docs.nats.io/nats-concepts/jetstream/consumers

#include "runtime/transports/broker_source.hpp"
#include "runtime/transports/nats_client.hpp"
#include <unordered_map>
#include <vector>

namespace edupulse {

struct nats_source_options {
  std::string stream; ///< of JetStream; empty: core
  std::uint64_t batch = 256;
  /// JetStream gives a message to somebody else after so long without a sign of life from here.
  duration ack_wait{};
};

class nats_source final : public broker_source {
public:
  nats_source(nats_login login, nats_source_options how, source_settings all)
      : broker_source(std::move(all)), login_(std::move(login)), how_(std::move(how)) {}
  ~nats_source() override { end(); }

  std::string_view name() const noexcept override { return "nats"; }
  expected<void> connect(std::string_view client) override;
  expected<std::vector<inbound_message>> receive(duration patience) override;
  expected<void> acknowledge(std::span<const std::uint64_t> tokens) override;
  expected<void> keep_alive() override;
  std::uint64_t lost() const noexcept override { return lost_before_ + lost_now_; }
  void close() noexcept override;

private:
  struct subscription_ended {
    void operator()(natsSubscription* what) const noexcept { ::natsSubscription_Destroy(what); }
  };
  using subscription = std::unique_ptr<natsSubscription, subscription_ended>;

  expected<void> subscribe();
  void give_back();
  expected<void> open_consumer(const std::string& topic);
  expected<void> look_for_consumer(const std::string& topic);
  natsStatus receive_core(natsSubscription* from, duration patience,
                          std::vector<inbound_message>& into);
  natsStatus receive_stream(natsSubscription* from, duration patience,
                            std::vector<inbound_message>& into);
  void keep(nats_message what, std::vector<inbound_message>& into);
  void count_lost();
  tl::unexpected<error> over(natsStatus status);
  void end() noexcept;
  bool has_stream() const noexcept { return !how_.stream.empty(); }

  const nats_login login_;
  const nats_source_options how_;
  natsConnection* to_ = nullptr;
  jsCtx* jetstream_ = nullptr;
  std::vector<subscription> from_;                       ///< one for each topic
  std::size_t turn_ = 0;                                 ///< whose it is first
  std::unordered_map<std::uint64_t, nats_message> open_; ///< of JetStream: not acknowledged
  std::vector<std::string> to_return_; ///< those of a connection that has ended: where to say so
  std::uint64_t last_token_ = 0;
  time_point next_sign_{};        ///< of life
  std::uint64_t lost_before_ = 0; ///< by connections that have ended
  std::uint64_t lost_now_ = 0;
};

} // namespace edupulse
