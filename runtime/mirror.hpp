#pragma once
// A mirror's handler: gathers the events of a batch and hands them to the transport, each with the
// deferral of its outcome.

#include "actors/handler.hpp"
#include <edupulse/handler.hpp>
#include <edupulse/transport.hpp>

namespace edupulse {

class mirror_handler final : public handler {
public:
  explicit mirror_handler(transport_ptr to) : to_(std::move(to)) {}

  outcome handle(const envelope& event, context& ctx) override {
    gathered_.push_back({envelope_ptr::share(event), ctx.defer()});
    return outcome::deferred();
  }
  void end_of_batch() override {
    if (!gathered_.empty())
      to_->publish(std::exchange(gathered_, {}));
  }

private:
  transport_ptr to_;
  std::vector<outbound_event> gathered_; ///< at most a batch; what is dropped with it is retried
};

inline handler_recipe mirror_recipe(transport_ptr to) {
  return {[to]() -> std::unique_ptr<handler> { return std::make_unique<mirror_handler>(to); },
          false};
}

} // namespace edupulse
