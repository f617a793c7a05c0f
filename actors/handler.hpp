#pragma once
// The interface every handler has in the end: lambdas, classes, CAF behaviors, transports.

#include "actors/outcome.hpp"
#include "schemas/envelope.hpp"
#include "schemas/event_traits.hpp"
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

class context;

/// The promise to answer later. Move-only; keeps the envelope alive; any thread may complete it,
/// once. Dropping it uncompleted is `retry`. Completing after the attempt's time limit changes
/// nothing, unless the event has not been tried again yet: then it still counts.
class deferral {
public:
  struct answer {
    std::uint64_t seq;
    std::uint32_t attempt;
    outcome what;
  };
  /// What carries the answer to the router. Implemented by the runtime; thread-safe.
  class sink {
  public:
    virtual ~sink() = default;
    virtual void complete(answer&& one) = 0;
    /// In order.
    virtual void complete_all(std::vector<answer>&& all) {
      for (auto& one : all)
        complete(std::move(one));
    }
  };

  deferral() noexcept = default;
  deferral(std::shared_ptr<sink> to, envelope_ptr event, std::uint64_t seq, std::uint32_t attempt)
      : to_(std::move(to)), event_(std::move(event)), seq_(seq), attempt_(attempt) {}
  deferral(deferral&& other) noexcept = default;
  deferral& operator=(deferral&& other) noexcept {
    if (this != &other) {
      drop();
      to_ = std::move(other.to_);
      event_ = std::move(other.event_);
      seq_ = other.seq_;
      attempt_ = other.attempt_;
    }
    return *this;
  }
  ~deferral() { drop(); }

  /// `what` must not be `deferred`. A second call is ignored.
  void complete(outcome what) {
    if (auto to = std::exchange(to_, nullptr))
      to->complete({seq_, attempt_, std::move(what)});
  }
  /// Completes several with the same answer, in order, and forgets them: for whoever has many,
  /// since each call of the other one takes a lock and may wake a thread.
  static void complete_all(std::vector<deferral>& all, const outcome& what);
  explicit operator bool() const noexcept { return to_ != nullptr; }
  const envelope& event() const noexcept { return *event_; }
  const envelope_ptr& shared_event() const noexcept { return event_; }

private:
  void drop() {
    if (to_)
      complete(outcome::retry("the deferral was dropped without an answer"));
  }

  std::shared_ptr<sink> to_;
  envelope_ptr event_;
  std::uint64_t seq_ = 0;
  std::uint32_t attempt_ = 0;
};

/// What is known of the event at hand. Valid during the call.
class event_info {
public:
  const envelope& event() const noexcept { return *event_; }
  const event_id& id() const noexcept { return event_->id(); }
  std::string_view topic() const noexcept { return event_->topic(); }
  std::string_view key() const noexcept { return event_->key(); }
  std::int64_t occurred_at_ms() const noexcept { return event_->occurred_at_ms(); }
  std::string_view meta(std::string_view name) const { return event_->meta(name); }
  /// 1 at the first try.
  std::uint32_t attempt() const noexcept { return attempt_; }
  /// Events this subscription missed (shed or dropped) just before this one; 0 nearly always.
  std::uint64_t gap() const noexcept { return gap_; }
  std::string_view subscription() const noexcept { return subscription_; }

protected:
  const envelope* event_ = nullptr;
  std::string_view subscription_;
  std::uint32_t attempt_ = 1;
  std::uint64_t gap_ = 0;
};

/// The handler's way back into the runtime. Valid during the call, on its thread only.
class context : public event_info {
public:
  /// Publishes when, and only when, the event at hand succeeds: until then it is buffered. The new
  /// event carries the id of this one as `causation-id`, and its correlation id, tenant and trace.
  /// Never waits. Errors: `back_pressure` when a queue on the way is full or this call has buffered
  /// more than the limit: answer `retry`.
  template <class T, class Fill> expected<event_id>
  publish(Fill&& fill, std::string_view subject = {}, std::string_view key = {}) {
    require_event<T>();
    return publish_event(
        event_traits<T>::type(),
        [&](capnp::AnyPointer::Builder payload) { fill(payload.initAs<T>()); }, subject, key);
  }
  virtual expected<event_id>
  publish_event(const event_type& type, const std::function<void(capnp::AnyPointer::Builder)>& fill,
                std::string_view subject, std::string_view key) = 0;

  /// Takes the event out of this call's hands: return `outcome::deferred()` and complete the token
  /// from anywhere, any time.
  virtual deferral defer() = 0;

protected:
  ~context() = default;
};

/// A handler with state. Made anew by its factory at each start; used by one thread at a time.
class handler {
public:
  virtual ~handler() = default;
  /// Called once, on the handler's own thread, when it has been made: which of the subscription's
  /// `concurrency` handlers it is, from 0. The same keys go to the same one. A throw is one of the
  /// factory.
  virtual void begin(std::uint32_t lane) { static_cast<void>(lane); }
  /// Called for each event. A throw ends this object: a new one is made, and the event is retried.
  virtual outcome handle(const envelope& event, context& ctx) = 0;
  /// Called after the last event of a batch: the moment to send what `handle` gathered.
  virtual void end_of_batch() {}
};

/// Called on the handler's own thread at each start. A throw is an unproductive restart.
using handler_factory = std::function<std::unique_ptr<handler>()>;

inline void deferral::complete_all(std::vector<deferral>& all, const outcome& what) {
  for (auto first = all.begin(); first != all.end();) {
    const auto to = first->to_;
    std::vector<answer> answers;
    for (; first != all.end() && first->to_ == to; ++first) {
      answers.push_back({first->seq_, first->attempt_, what});
      first->to_.reset();
    }
    if (to)
      to->complete_all(std::move(answers));
  }
  all.clear();
}

} // namespace edupulse
