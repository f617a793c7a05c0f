#pragma once
// A router's hands that do nothing: a test gives them what it wants to see.

#include "actors/desk.hpp"

namespace edupulse::test {

struct idle_hands : router_hands {
  void dispatch(const batch_ptr&) override {}
  void start_handler(const effects::start_handler&) override {}
  void stop_handler(const effects::stop_handler&) override {}
  void bury(effects::bury&&) override {}
  void settle_redrive(const effects::settle_redrive&) override {}
  void set_gate(std::uint32_t, bool) override {}
  void unsubscribed(std::uint32_t) override {}
  void drained() override {}
};

} // namespace edupulse::test
