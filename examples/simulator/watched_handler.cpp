#include "watched_handler.hpp"
#include "schemas/hash.hpp"
#include "workload.hpp"

namespace edupulse::simulator {

namespace {

/// Stands between a deferral that the handler has and the router's.
class watched_deferral final : public deferral::sink {
public:
  watched_deferral(deferral inner, std::uint32_t attempt, std::uint64_t gap,
                   std::shared_ptr<handler_watch> by)
      : inner_(std::move(inner)), attempt_(attempt), gap_(gap), by_(std::move(by)) {}
  void complete(deferral::answer&& one) override {
    if (by_->keeps(inner_))
      return;
    by_->ended(inner_.event(), attempt_, gap_, one.what.is_ok());
    inner_.complete(std::move(one.what));
  }

private:
  deferral inner_;
  std::uint32_t attempt_;
  std::uint64_t gap_;
  std::shared_ptr<handler_watch> by_;
};

class watched_context final : public context {
public:
  watched_context(context& inner, const std::shared_ptr<handler_watch>& by)
      : inner_(inner), by_(by) {
    event_ = &inner.event();
    subscription_ = inner.subscription();
    attempt_ = inner.attempt();
    gap_ = inner.gap();
  }
  expected<event_id> publish_event(const event_type& type,
                                   const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                   std::string_view subject, std::string_view key) override {
    handler_watch::sent one{{}, &type, std::string(subject)};
    one.key = text_hash(key);
    auto made = inner_.publish_event(
        type,
        [&](capnp::AnyPointer::Builder payload) {
          fill(payload);
          one.payload = hash_of(payload.asReader().getAs<capnp::AnyStruct>());
          if (key.empty() && type.key_of != nullptr)
            one.key = text_hash(type.key_of(payload.asReader()));
        },
        subject, key);
    if (made) {
      one.id = *made;
      sent_.push_back(std::move(one));
    }
    return made;
  }
  deferral defer() override {
    auto inner = inner_.defer();
    const auto event = inner.shared_event();
    return {std::make_shared<watched_deferral>(std::move(inner), attempt_, gap_, by_), event, 0,
            attempt_};
  }
  void tell_what_leaves() const {
    for (const auto& one : sent_)
      by_->published(one);
  }

private:
  context& inner_;
  const std::shared_ptr<handler_watch>& by_;
  std::vector<handler_watch::sent> sent_;
};

class watched_handler final : public handler {
public:
  watched_handler(std::unique_ptr<handler> inner, std::shared_ptr<handler_watch> by)
      : inner_(std::move(inner)), by_(std::move(by)) {}
  void begin(std::uint32_t lane) override { inner_->begin(lane); }
  outcome handle(const envelope& event, context& ctx) override {
    watched_context watching(ctx, by_);
    auto said = [&] {
      try {
        return inner_->handle(event, watching);
      } catch (...) {
        by_->ended(event, ctx.attempt(), ctx.gap(), false);
        throw;
      }
    }();
    const bool deferred = said.what() == outcome::kind::deferred;
    if (said.is_ok() || deferred)
      watching.tell_what_leaves();
    if (!deferred)
      by_->ended(event, ctx.attempt(), ctx.gap(), said.is_ok());
    return said;
  }
  void end_of_batch() override { inner_->end_of_batch(); }

private:
  std::unique_ptr<handler> inner_;
  std::shared_ptr<handler_watch> by_;
};

} // namespace

std::unique_ptr<handler> watched(std::unique_ptr<handler> inner,
                                 std::shared_ptr<handler_watch> by) {
  return inner ? std::make_unique<watched_handler>(std::move(inner), std::move(by)) : nullptr;
}

} // namespace edupulse::simulator
