#pragma once
// What the sources of all brokers have in common: what their addresses said.

#include "runtime/transports/broker_factory.hpp"

namespace edupulse {

class broker_source : public source {
public:
  std::string where() const final { return all_.where; }
  source_options options() const final { return all_.options; }

protected:
  explicit broker_source(source_settings all) : all_(std::move(all)) {}

  const source_settings all_;
};

} // namespace edupulse
