#include "tests/mirrors/kafka_gate.hpp"

#include "tests/support/eventually.hpp"

namespace edupulse::test {

/// The gate stays where it is while the cluster behind it is down.
void guarded_kafka::start() {
  kafka_broker::start();
  if (gate_)
    return;
  const auto behind = hosts().substr(hosts().rfind(':') + 1);
  gate_ = std::make_unique<program>(
      "python3", std::vector<std::string>{EDUPULSE_KAFKA_GATE, behind, certificates_.server(),
                                          certificates_.server_key(), certificates_.ca(), "school",
                                          "se@cret"});
  eventually([&] { return gate_->output().find('\n') != std::string::npos; });
  gate_port_ = std::stoi(gate_->output());
}

} // namespace edupulse::test
