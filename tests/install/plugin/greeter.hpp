#pragma once
#include "greeting.capnp.h"
#include <edupulse/plugin.hpp>
#include <string>

class greeter {
public:
  explicit greeter(const edupulse::plugin_settings& settings);
  edupulse::outcome handle(VisitorCame::Reader visitor, edupulse::context& ctx);
  std::string snapshot() const;
  void restore(std::string_view from);

private:
  std::string word_;
  int greeted_ = 0;
};
