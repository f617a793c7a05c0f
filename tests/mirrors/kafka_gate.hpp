#pragma once
// A Kafka that asks who is there: the one of librdkafka behind kafka_gate.py, which does TLS with
// certificates of both sides and asks for a password, as that one cannot.

#include "tests/mirrors/broker_certificates.hpp"
#include "tests/mirrors/kafka_broker.hpp"

namespace edupulse::test {

class guarded_kafka final : public kafka_broker {
public:
  explicit guarded_kafka(std::string mechanism) : mechanism_(std::move(mechanism)) {}

  void start() override;
  std::string url_of(std::uint16_t, const std::string& settings) const override {
    return address("school:se%40cret", certificates_.of_client()) + settings;
  }
  std::string source_url(std::uint16_t, const std::string& settings) const override {
    return url_of(0, settings + quick_group);
  }
  std::string url_of_stranger() const override {
    return address("school:wrong", certificates_.of_client());
  }
  std::string refusal() const override { return "the gate knows nobody of this name and password"; }
  /// Shows nothing of itself, where a certificate is asked for.
  std::string url_without_certificate() const { return address("school:se%40cret", ""); }

private:
  std::string address(const std::string& user, const std::string& settings) const {
    return "kafka://" + user + "@localhost:" + std::to_string(gate_port_) +
           "?topic=lessons&security=sasl_ssl&mechanism=" + mechanism_ +
           "&ca=" + certificates_.ca() + "&ack_timeout=2s&connect_timeout=1s" +
           "&rdkafka.broker.address.family=v4" + settings;
  }

  const std::string mechanism_;
  broker_certificates certificates_{dir_};
  std::unique_ptr<program> gate_;
  int gate_port_ = 0;
};

} // namespace edupulse::test
