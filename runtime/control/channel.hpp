#pragma once
// One connection of a control socket, from either end: whole messages, each with a bound and a
// deadline. See schemas/control.capnp for the bytes.

#include "schemas/envelope.hpp"
#include <capnp/message.h>
#include <cstddef>
#include <functional>
#include <kj/array.h>
#include <vector>

namespace edupulse::control {

inline constexpr std::size_t max_request_bytes = std::size_t{1} << 20;
inline constexpr std::size_t max_answer_bytes = std::size_t{32} << 20;

/// The words of a message that has arrived; nobody has looked at them.
using message_words = std::vector<std::uint64_t>;

/// Value. Does not own its descriptors.
class channel {
public:
  /// `stop`: readable when waiting is over; -1: never.
  channel(int socket, int stop) noexcept : socket_(socket), stop_(stop) {}

  /// Errors: `timed_out`; `too_large` and `malformed`, before anything is allocated for it; `io`
  /// when the other end is gone; `stopping`.
  expected<message_words> receive(std::size_t max_bytes, time_point deadline) const;
  /// Errors: `too_large`, and then nothing was sent; `timed_out`, `io`, `stopping`.
  expected<void> send(capnp::MessageBuilder& message, std::size_t max_bytes,
                      time_point deadline) const;

private:
  expected<void> wait_for(short what, time_point deadline) const;
  expected<void> read_all(char* to, std::size_t bytes, time_point deadline) const;
  expected<void> write_all(const char* from, std::size_t bytes, time_point deadline) const;

  int socket_;
  int stop_;
};

/// Lets `read` look at the message, under limits that are tied to its size. What Cap'n Proto finds
/// wrong with it is the error `malformed`.
expected<void> reading(const message_words& words,
                       const std::function<void(capnp::MessageReader&)>& read);

} // namespace edupulse::control
