#pragma once
// Handlers that do what no handler should, when they are told to: for trying what a node survives.
// Not for a node that others need: `segfault` and `exit` take the process down.

#include "lesson.capnp.h"
#include "sabotage.capnp.h"
#include <chrono>
#include <edupulse/plugin.hpp>
#include <string>
#include <string_view>

/// Throws std::invalid_argument, with those that there are, for a harm that there is not.
void check_harm(std::string_view harm);
/// Answers, or does not; after `slow` when the harm is that.
edupulse::outcome do_harm(std::string_view harm, std::chrono::milliseconds slow);

/// Does the harm that the event orders.
class order_taker {
public:
  static constexpr bool blocks = true; // a hang costs a thread of its own

  explicit order_taker(const edupulse::plugin_settings& settings);
  edupulse::outcome handle(SabotageOrdered::Reader order) const;

private:
  std::chrono::milliseconds slow_;
};

/// Does the harm of the setting `harm` to events whose key is the setting `key`, or to all.
class key_watcher final : public edupulse::handler {
public:
  static constexpr bool blocks = true;

  explicit key_watcher(const edupulse::plugin_settings& settings);
  edupulse::outcome handle(const edupulse::envelope& event, edupulse::context& ctx) override;

private:
  std::string harm_;
  std::string key_;
  std::int64_t tries_;
  std::chrono::milliseconds slow_;
};
