#pragma once
// A nats-server: core, with a reader that listens all the time, or JetStream, with a stream.

#include "tests/mirrors/broker.hpp"
#include "tests/mirrors/broker_certificates.hpp"
#include <functional>
#include <memory>
#include <mutex>
#include <nats/nats.h>
#include <string>
#include <vector>

namespace edupulse::test {

class nats_broker final : public broker {
public:
  enum class kind { core, jetstream };
  enum class security { plain, tls };
  explicit nats_broker(kind is, security how = security::plain) : is_(is), how_(how) {}
  ~nats_broker() override;

  void start() override;
  std::string url_of(std::uint16_t port, const std::string& settings) const override {
    return "nats://edu:secret@127.0.0.1:" + std::to_string(port) + "?topic=lessons.{name}" +
           (is_ == kind::jetstream ? "&jetstream=true" : "") + settings;
  }
  std::string source_url(std::uint16_t port, const std::string& settings) const override {
    return "nats://edu:secret@127.0.0.1:" + std::to_string(port) + "?topic=lessons.>" +
           (is_ == kind::jetstream ? "&jetstream=true&stream=LESSONS&ack_wait=2s" : "") + settings;
  }
  bool redelivers_in_order() const override { return false; }
  std::string url_of_stranger() const override {
    return "nats://edu:wrong@127.0.0.1:" + std::to_string(port_) + "?topic=lessons.{name}";
  }
  std::string refusal() const override { return "Authorization Violation"; }
  std::vector<seen_event> read() override;

  /// Text and headers of what came, as they came.
  struct message {
    std::string subject;
    std::string text;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  std::vector<message> messages();
  /// Most messages that the stream takes; what is over is refused. 0: any number.
  void limit(std::int64_t messages);

  const broker_certificates& certificates() const noexcept { return certificates_; }

private:
  std::string tls_config() const;
  void listen();
  void make_stream();
  std::vector<message> stored();
  void with_stream(const std::function<void(jsCtx*)>& does) const;

  const kind is_;
  const security how_;
  const broker_certificates certificates_{dir_};
  natsConnection* reader_ = nullptr;
  natsSubscription* subscription_ = nullptr;
  std::mutex mutex_;
  std::vector<message> heard_;
};

} // namespace edupulse::test
