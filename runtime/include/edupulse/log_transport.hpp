#pragma once
// The transport that ships: writes each event as one line of CloudEvents JSON.

#include "schemas/json.hpp"
#include <edupulse/transport.hpp>
#include <functional>
#include <string_view>

namespace edupulse {

class log_transport final : public transport {
public:
  /// `write` gets one line, without its end; false means "cannot now" and pauses the mirror.
  /// Called on the mirror's thread.
  explicit log_transport(std::function<bool(std::string_view)> write,
                         json_form form = json_form::cloudevents);

  std::string_view name() const noexcept override { return "log"; }
  /// Answers at once: `ok`; `reject` for an event that has no JSON form; `unavailable`.
  void publish(std::vector<outbound_event> batch) override;

private:
  std::function<bool(std::string_view)> write_;
  json_form form_;
};

} // namespace edupulse
