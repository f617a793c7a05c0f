#pragma once
// Every failure a caller can act on. A bug is an assert; the world is an `expected`; a handler's
// own trouble is an `outcome`.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace edupulse {

enum class errc : std::uint8_t {
  /// A queue on the way is full. The event was not accepted; publish it again later.
  back_pressure = 1,
  /// The node is draining or stopped. Nothing was accepted.
  stopping,
  /// The event is larger than the limit of the node. Nothing was accepted.
  too_large,
  /// Bytes that are not a valid envelope. Nothing was accepted.
  malformed,
  /// The event has another name or schema than the one asked for. The event is unharmed.
  wrong_type,
  /// No schema of that name is known to this node.
  unknown_schema,
  /// A topic that breaks the rules of topic.hpp.
  bad_topic,
  /// A filter that breaks the rules of topic.hpp.
  bad_filter,
  /// A subscription or mirror of that name exists on this node.
  duplicate_name,
  /// An option outside its limits, or two that contradict each other.
  invalid_option,
  /// Nothing of that name or id is known here.
  not_found,
  /// The deadline passed first. What was begun goes on.
  timed_out,
  /// The receipt was not asked for: publish with `track`.
  not_tracked,
  /// A JSON form that cannot be read or written.
  bad_json,
  /// The operating system, a file or a database said no.
  io,
  /// A peer said something that the rules of the conversation do not allow. It is cut off.
  protocol,
  /// Not allowed from where it was called, or not allowed at all.
  refused,
  /// This node's id was started again elsewhere, and this start is over: nothing was accepted.
  fenced,
};

/// The name as written above; static storage.
std::string_view to_string(errc code) noexcept;

/// What went wrong, why, and what to do next, in one sentence for people.
struct error {
  errc code;
  std::string text;

  friend bool operator==(const error&, const error&) = default;
};

std::string to_string(const error& what);

template <class T> using expected = tl::expected<T, error>;

/// `text` between quotes for an error or a log line: control characters and anything that is not
/// ASCII are escaped, and what is longer than `max_bytes` is cut and its length said. For names
/// that come from outside.
std::string quote(std::string_view text, std::size_t max_bytes = 64);

inline tl::unexpected<error> fail(errc code, std::string text) {
  return tl::unexpected<error>(error{code, std::move(text)});
}

} // namespace edupulse
