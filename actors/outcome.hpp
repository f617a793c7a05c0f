#pragma once
// What a handler says about one event. There are five answers, and a throw is the sixth.

#include "schemas/envelope.hpp"
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace edupulse {

/// Value; 16 bytes; the plain `ok` allocates nothing.
class outcome {
public:
  enum class kind : std::uint8_t {
    ok,          ///< Done. The event leaves the subscription.
    retry,       ///< Try this event again, later. Other keys go on meanwhile.
    reject,      ///< Never try again: straight to the dead letters.
    unavailable, ///< Not the event's fault: pause the subscription and probe.
    deferred,    ///< Somebody holds the `deferral` of this event and will complete it.
    crash,       ///< The handler threw. Made by the runtime only.
  };

  static outcome ok() noexcept { return outcome(kind::ok); }
  /// `after`: no earlier than that; without it the subscription's back-off decides.
  static outcome retry(std::string reason = {}, std::optional<duration> after = {}) {
    return outcome(kind::retry, std::move(reason), after);
  }
  static outcome reject(std::string reason) { return outcome(kind::reject, std::move(reason)); }
  static outcome unavailable(std::string reason, std::optional<duration> after = {}) {
    return outcome(kind::unavailable, std::move(reason), after);
  }
  static outcome deferred() noexcept { return outcome(kind::deferred); }
  static outcome crash(std::string type, std::string text) {
    outcome result(kind::crash, std::move(text));
    result.details_->error_type = std::move(type);
    return result;
  }

  outcome(outcome&&) noexcept = default;
  outcome& operator=(outcome&&) noexcept = default;
  outcome(const outcome& other)
      : kind_(other.kind_),
        details_(other.details_ ? std::make_unique<details>(*other.details_) : nullptr) {}
  outcome& operator=(const outcome& other) { return *this = outcome(other); }

  kind what() const noexcept { return kind_; }
  bool is_ok() const noexcept { return kind_ == kind::ok; }
  std::string_view reason() const noexcept {
    return details_ ? std::string_view(details_->reason) : std::string_view{};
  }
  /// The C++ type of what was thrown, for `crash`.
  std::string_view error_type() const noexcept {
    return details_ ? std::string_view(details_->error_type) : std::string_view{};
  }
  std::optional<duration> after() const noexcept {
    return details_ ? details_->after : std::nullopt;
  }

private:
  struct details {
    std::string reason;
    std::string error_type;
    std::optional<duration> after;
  };

  explicit outcome(kind what) noexcept : kind_(what) {}
  outcome(kind what, std::string reason, std::optional<duration> after = {})
      : kind_(what), details_(new details{std::move(reason), {}, after}) {}

  kind kind_;
  std::unique_ptr<details> details_;
};

std::string_view to_string(outcome::kind what) noexcept;

} // namespace edupulse
