#pragma once
// A rabbitmq-server with an epmd of its own, and a reader of one queue.

#include "tests/mirrors/broker.hpp"
#include "tests/mirrors/broker_certificates.hpp"

namespace edupulse::test {

class rabbitmq_broker final : public broker {
public:
  rabbitmq_broker();

  /// Also when it runs already: it takes ten seconds to start, so tests share one. Then its queue
  /// is emptied.
  void start() override;
  std::string url_of(std::uint16_t port, const std::string& settings) const override {
    return "amqp://school:secret@127.0.0.1:" + std::to_string(port) + "?topic=lessons" + settings;
  }
  std::string few_at_once() const override { return "&prefetch=10"; }
  std::string url_of_stranger() const override {
    return "amqp://school:wrong@127.0.0.1:" + std::to_string(port_) + "?topic=lessons";
  }
  std::string refusal() const override { return "ACCESS_REFUSED"; }
  int pace() const override { return 8; }
  /// And takes it out of the queue.
  std::vector<seen_event> read() override;

  /// With TLS, of `host`; `ca` is a file. It wants a certificate of its clients, too.
  std::string tls_url(const std::string& host, const std::string& ca) const;
  const broker_certificates& certificates() const noexcept { return certificates_; }
  /// One call in the server, and its answer: "rabbit_alarm get_alarms []".
  std::string call(const std::string& module_function_arguments) const;

  /// A message as it came.
  struct message {
    std::string body;
    std::string content_type;
    std::string id;
    std::string type;
    std::vector<std::pair<std::string, std::string>> headers;
    bool persistent = false;
  };
  std::vector<message> read_messages();
  /// Takes one after the other out of a queue until it is empty; how many these were.
  std::size_t empty(const char* queue) const;

private:
  void launch();

  const broker_certificates certificates_{dir_};
  const std::uint16_t epmd_port_ = free_port();
  const std::uint16_t dist_port_ = free_port();
  const std::uint16_t tls_port_ = free_port();
  const std::string node_ = "mirror" + std::to_string(port_);
  std::unique_ptr<program> epmd_;
};

} // namespace edupulse::test
