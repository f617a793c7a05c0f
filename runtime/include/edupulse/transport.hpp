#pragma once
// Outbound transports. A mirror is a subscription whose handler is a transport, so that window,
// retry, breaker, dead letters and ledger are those of every subscription, and a dead broker never
// slows `publish`.

#include "actors/handler.hpp"
#include "actors/options.hpp"
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

/// One event on its way out, with the token its outcome is answered on.
struct outbound_event {
  envelope_ptr event;
  deferral done;
};

/// What a transport knows of the other side.
struct transport_health {
  enum class state : std::uint8_t { unknown, connecting, up, down };

  state is = state::unknown;
  /// Why it is `down`, in the words of the other side or of its client.
  std::string why{};
};

constexpr std::string_view to_string(transport_health::state what) noexcept {
  constexpr std::string_view names[] = {"unknown", "connecting", "up", "down"};
  return names[static_cast<std::size_t>(what)];
}

class transport {
public:
  /// A node ends it on a thread of its own, and may take its time; `node::stop` waits for it.
  virtual ~transport() = default;
  /// For people: `log`, `kafka`.
  virtual std::string_view name() const noexcept = 0;
  /// For people: the address, without passwords. Empty when there is none.
  virtual std::string where() const { return {}; }
  /// As it was last seen. Any thread, at any time.
  virtual transport_health health() const { return {}; }
  /// Events under way at which it is at its best: the window of a mirror that is given no options.
  virtual std::uint32_t window() const noexcept { return subscription_options{}.window; }
  /// Takes a batch in order and returns at once. Complete each `done` when the outcome is known,
  /// from any thread: `ok`; `retry` for this event; `unavailable` when the other side is gone,
  /// which pauses the mirror and probes; `reject` when this event can never be sent. A token that
  /// is dropped is `retry`. One thread at a time calls this, and never after the destructor began;
  /// what is still open then is dropped, and so sent again by the successor.
  virtual void publish(std::vector<outbound_event> batch) = 0;
};

using transport_ptr = std::shared_ptr<transport>;

/// What `attach_mirror` takes for a mirror that is given no options, but for the window: a larger
/// backlog than other subscriptions have, 65,536 events and 64 MiB, publishers never wait for it,
/// and a confirmation may take five minutes, on a network that is slow: the transport has a time
/// limit of its own.
inline subscription_options mirror_options() {
  subscription_options made;
  made.backlog_events = 65'536;
  made.backlog_bytes = 64u << 20;
  made.overload = overload_policy::drop_newest;
  made.time_limit = std::chrono::minutes(5);
  return made;
}

/// As above, with the window that the transport wants.
inline subscription_options mirror_options(const transport& to) {
  auto made = mirror_options();
  made.window = to.window();
  return made;
}

/// A mirror of one node.
struct mirror_status {
  std::string name;
  std::string filter;
  std::string group{}; ///< empty: none
  /// As of every subscription: running, paused, unavailable, quarantined, ...
  std::string state;
  std::string transport; ///< its name
  std::string where;     ///< without passwords
  /// `why` also while the state is `unavailable` for another reason: a stream that is full.
  transport_health health{};
  /// Events that are owed to it by this node or have arrived here, and not been confirmed.
  std::uint64_t lag = 0;
  /// Since the oldest of them was published, by this node's clock.
  std::chrono::milliseconds oldest{};
};

} // namespace edupulse
