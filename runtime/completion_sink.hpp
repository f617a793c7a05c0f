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
  void complete(deferral::answer&& one) override { mail_->complete(addressed(std::move(one))); }
  void complete_all(std::vector<deferral::answer>&& all) override {
    std::vector<completion> made;
    made.reserve(all.size());
    for (auto& one : all)
      made.push_back(addressed(std::move(one)));
    mail_->complete(std::move(made));
  }

private:
  completion addressed(deferral::answer&& one) const {
    return {subscription_, one.seq, one.attempt, std::move(one.what)};
  }

  std::shared_ptr<inbox> mail_;
  std::uint32_t subscription_;
};

} // namespace edupulse
