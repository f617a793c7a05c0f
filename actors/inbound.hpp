#pragma once
// What one peer has sent here: the receiving half of a link. For each subscription it knows the
// number of the next event it expects, so it sees a repeat (sent again after a cut: skipped) and a
// gap (a mistake of the peer: the link is cut) for what they are; and it gathers what became of the
// events, to be told to the peer.

#include "actors/effect.hpp"
#include "actors/ledger_view.hpp"
#include "schemas/error.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace edupulse {

/// Events [first, first + count) of one subscription ended so.
struct ack_run {
  std::uint32_t subscription;
  std::uint64_t first;
  std::uint64_t count;
  fate how;
  drop_reason why; ///< of `dropped` ones
  friend bool operator==(const ack_run&, const ack_run&) = default;
};

class inbound {
public:
  /// The peer may send to it from now on; at most `window` events that are not concluded.
  void open(std::uint32_t subscription, std::size_t window);
  /// Its last conclusions are in. What the peer had sent before it heard is answered
  /// `unsubscribed`. `withdrawn`: the number of the message that it hears that from.
  void close(std::uint32_t subscription, std::uint64_t withdrawn);
  /// A session begins, and the peer has heard all messages up to `heard`: what those withdrew is
  /// sent nothing any more.
  void forget(std::uint64_t heard);

  bool is_open(std::uint32_t subscription) const { return streams_.contains(subscription); }

  struct accepted {
    std::uint32_t skip = 0;  ///< so many of the events were here before
    std::uint32_t count = 0; ///< so many after them are new
  };
  /// Events [first, first + count) have arrived for it. Errors: `protocol`, for a subscription that
  /// was never announced, a gap, or more than the window allows.
  expected<accepted> accept(std::uint32_t subscription, std::uint64_t first, std::uint32_t count);
  /// What became of events that were accepted.
  void concluded(const ack_run& what);

  bool has_acks() const noexcept { return !acks_.empty(); }
  /// Events whose conclusion has not been taken.
  std::uint64_t untold() const noexcept { return untold_; }
  /// Not more than `most` runs, oldest first.
  std::vector<ack_run> take_acks(std::size_t most);

  struct expectation {
    std::uint32_t subscription;
    std::uint64_t next;
    friend bool operator==(const expectation&, const expectation&) = default;
  };
  /// For the beginning of a connection: from where on events are missing. Who is not in it has had
  /// none.
  std::vector<expectation> expectations() const;
  std::size_t outstanding() const noexcept { return outstanding_; }
  std::uint64_t repeats() const noexcept { return repeats_; }

private:
  struct stream {
    std::uint64_t next = 1;
    std::size_t window = 0;
    std::size_t outstanding = 0;            ///< accepted and not concluded
    std::optional<std::uint64_t> withdrawn; ///< closed, as the peer hears from this message
  };
  std::map<std::uint32_t, stream> streams_;
  std::vector<ack_run> acks_;
  std::uint64_t untold_ = 0;
  std::size_t outstanding_ = 0;
  std::uint64_t repeats_ = 0;
};

} // namespace edupulse
