#include "schemas/json.hpp"
#include <edupulse/log_transport.hpp>

namespace edupulse {

log_transport::log_transport(std::function<bool(std::string_view)> write, json_form form)
    : write_(std::move(write)), form_(form) {}

void log_transport::publish(std::vector<outbound_event> batch) {
  bool open = true;
  for (auto& one : batch) {
    if (!open) {
      one.done.complete(outcome::unavailable("the log is not writable"));
      continue;
    }
    auto text = to_json(*one.event, form_);
    if (!text) {
      one.done.complete(outcome::reject(text.error().text));
      continue;
    }
    open = write_(*text);
    one.done.complete(open ? outcome::ok() : outcome::unavailable("the log is not writable"));
  }
}

} // namespace edupulse
