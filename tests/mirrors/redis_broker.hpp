#pragma once
// A redis-server that forgets nothing, and a reader of its stream.

#include "tests/mirrors/broker.hpp"

namespace edupulse::test {

class redis_broker final : public broker {
public:
  void start() override;
  std::string url_of(std::uint16_t port, const std::string& settings) const override {
    return "redis://:secret@127.0.0.1:" + std::to_string(port) + "?topic=lessons" + settings;
  }
  std::string member(const std::string& name) const override { return "&consumer=" + name; }
  std::string url_of_stranger() const override {
    return "redis://:wrong@127.0.0.1:" + std::to_string(port_) + "?topic=lessons";
  }
  std::string refusal() const override { return "WRONGPASS"; }
  std::vector<seen_event> read() override;

  /// One command of its own client; the answer's text, of an error too.
  std::string ask(const std::vector<std::string>& command) const;
};

} // namespace edupulse::test
