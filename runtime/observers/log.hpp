#pragma once
// The log: one line per decision, through spdlog. At `debug` also every message and effect.

#include "actors/observer.hpp"
#include <edupulse/options.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace edupulse {

class log_observer final : public observer {
public:
  /// `sink`: where lines go; without one, standard error. Nothing is registered globally.
  log_observer(std::string node_name, log_level level,
               std::function<void(log_level, std::string_view)> sink);
  ~log_observer() override;

  /// Any thread.
  void say(log_level level, std::string_view text);

  void on_input(const input& what, const router& core, time_point now) override;
  void on_effect(const effect& what, const router& core, time_point now) override;

private:
  std::shared_ptr<spdlog::logger> log_;
  log_level level_;
  time_point epoch_{};
};

} // namespace edupulse
