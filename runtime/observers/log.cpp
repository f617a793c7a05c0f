#include "runtime/observers/log.hpp"
#include "actors/trace.hpp"
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace edupulse {

namespace {

spdlog::level::level_enum level_of(log_level level) {
  switch (level) {
  case log_level::debug:
    return spdlog::level::debug;
  case log_level::info:
    return spdlog::level::info;
  case log_level::warning:
    return spdlog::level::warn;
  case log_level::error:
    return spdlog::level::err;
  case log_level::off:
    return spdlog::level::off;
  }
  return spdlog::level::off;
}

/// Hands finished lines to the application.
class function_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit function_sink(std::function<void(log_level, std::string_view)> to)
      : to_(std::move(to)) {}

protected:
  void sink_it_(const spdlog::details::log_msg& what) override {
    const auto level = what.level >= spdlog::level::err    ? log_level::error
                       : what.level >= spdlog::level::warn ? log_level::warning
                       : what.level >= spdlog::level::info ? log_level::info
                                                           : log_level::debug;
    to_(level, {what.payload.data(), what.payload.size()});
  }
  void flush_() override {}

private:
  std::function<void(log_level, std::string_view)> to_;
};

} // namespace

log_observer::log_observer(std::string node_name, log_level level,
                           std::function<void(log_level, std::string_view)> sink)
    : level_(level) {
  spdlog::sink_ptr to;
  if (sink)
    to = std::make_shared<function_sink>(std::move(sink));
  else
    to = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  log_ = std::make_shared<spdlog::logger>(std::move(node_name), std::move(to));
  log_->set_level(level_of(level));
  log_->set_pattern("%Y-%m-%d %H:%M:%S.%e %L [%n] %v");
}

log_observer::~log_observer() = default;

void log_observer::say(log_level level, std::string_view text) { log_->log(level_of(level), text); }

void log_observer::on_input(const input& what, const router& core, time_point now) {
  if (epoch_ == time_point{})
    epoch_ = now;
  if (level_ > log_level::debug)
    return;
  if (const auto text = trace_line(what, core, epoch_); !text.empty())
    log_->debug("< {}", text);
}

void log_observer::on_effect(const effect& what, const router& core, time_point) {
  const bool decision = is_decision(what);
  if (decision ? level_ > log_level::warning : level_ > log_level::debug)
    return;
  const auto level = !decision           ? spdlog::level::debug
                     : is_alarming(what) ? spdlog::level::warn
                                         : spdlog::level::info;
  if (log_->should_log(level))
    log_->log(level, "{}", trace_line(what, core, epoch_));
}

} // namespace edupulse
