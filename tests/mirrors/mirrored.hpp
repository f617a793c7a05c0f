#pragma once
// A node with a mirror, and what is expected at the other end of it.

#include "tests/mirrors/broker.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/real_time.hpp"
#include <edupulse/node.hpp>
#include <edupulse/transports.hpp>

namespace edupulse::test {

struct numbered_event {
  std::string key;
  std::string number; ///< counts up within its key
};
/// The n-th that is published, of a hundred keys.
inline numbered_event numbered(int n) {
  return {"k" + std::to_string(n % 100), std::to_string(n / 100)};
}

/// A node whose mirror `copy` goes to one broker, and what was published on it.
class mirrored {
public:
  explicit mirrored(transport_ptr to, subscription_options options = quick()) : to_(std::move(to)) {
    options.window = to_->window();
    REQUIRE(node_.attach_mirror("copy", ">", to_, std::move(options)));
  }
  explicit mirrored(const std::string& url, subscription_options options = quick())
      : mirrored(open_transport(url).value(), std::move(options)) {}
  /// `pace`: events in a millisecond of `publish_for`.
  mirrored(const std::string& url, int pace) : mirrored(url) { pace_ = pace; }

  /// Breaks that end soon, so that tests do.
  static subscription_options quick() {
    auto made = mirror_options();
    made.backlog_events = 1u << 17;
    made.backlog_bytes = 256u << 20;
    made.retry.first = 20ms;
    made.retry.cap = 200ms;
    return made;
  }

  /// As above, and events are given up soon.
  static subscription_options impatient() {
    auto made = quick();
    made.retry.give_up_after = 500ms;
    return made;
  }

  node& operator*() noexcept { return node_; }
  node* operator->() noexcept { return &node_; }

  /// `count` events of all keys in turn, which count up within each of them.
  void publish(int count) {
    for (int i = 0; i < count; ++i) {
      const auto [key, number] = numbered(published_++);
      REQUIRE(publish_lesson(node_, key, number));
    }
  }
  void publish_for(std::chrono::milliseconds span) { publish_for(span, pace_); }
  void publish_for(std::chrono::milliseconds span, int each_ms) {
    keep_on(span, [&] {
      publish(each_ms);
      rest(1ms);
    });
  }
  int published() const noexcept { return published_; }

  subscription_status status() const { return node_.subscriptions().front(); }
  void drain() const {
    while (status().pending != 0)
      rest(2ms); // whom it asks has work to do
    std::uint64_t ended = 0;
    for (const auto& line : node_.ledger().lines)
      ended += line.subscription == "copy" ? line.handled + line.dead : 0;
    CHECK(ended >= static_cast<std::uint64_t>(published_));
  }
  std::vector<dead_letter> dead_letters() const { return node_.dead_letters().value(); }
  std::size_t given_up() const { return dead_letters().size(); }
  /// Until the mirror says this of its outage, also while it tries again.
  void await_why(const std::string& words) const {
    eventually([&] { return node_.mirrors().front().health.why.find(words) != std::string::npos; });
  }
  /// Why the broker is down, as the first transport sees it.
  std::string why() const { return to_->health().why; }

private:
  const transport_ptr to_;
  node node_ = start_quiet();
  int pace_ = 20;
  int published_ = 0;
};

/// In order, but for repetitions: an event that is seen again has been seen before.
void check_order(const std::vector<seen_event>& seen);
void check_is_complete(const std::vector<seen_event>& seen, int published);
/// And in order.
void check_has_all(const std::vector<seen_event>& seen, int published);
/// The mirror drains, everything is there, and nothing was given up on.
void check_all_arrive(const mirrored& here, broker& to);

} // namespace edupulse::test
