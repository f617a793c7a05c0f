#pragma once
// Carries the answers of deferrals home. Holds no part of the node but its inbox: deferrals may
// outlive the node.

#include "actors/handler.hpp"
#include "actors/inbox.hpp"
#include <memory>

namespace edupulse {

class completion_sink final : public deferral::sink {
public:
  completion_sink(std::shared_ptr<inbox> mail, std::uint32_t subscription)
      : mail_(std::move(mail)), subscription_(subscription) {}
  void complete(std::uint64_t seq, std::uint32_t attempt, outcome&& what) override {
    mail_->complete({subscription_, seq, attempt, std::move(what)});
  }

private:
  std::shared_ptr<inbox> mail_;
  std::uint32_t subscription_;
};

} // namespace edupulse
