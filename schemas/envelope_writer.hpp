#pragma once
// Makes envelopes. The payload is filled in place first, by the publisher's own code; `finish` then
// puts the header before it and the result is immutable.

#include "schemas/envelope.hpp"
#include "schemas/envelope_limits.hpp"
#include <span>
#include <string_view>
#include <utility>

namespace edupulse {

/// What is known of an event besides its payload. Views are read during `finish` only.
struct envelope_header {
  event_id id;
  node_id publisher;
  /// Unix time in milliseconds.
  std::int64_t occurred_at_ms = 0;
  /// Tokens below the event name, or empty.
  std::string_view subject;
  /// Empty: no key. May point into the payload that is being written.
  std::string_view key;
  std::span<const std::pair<std::string_view, std::string_view>> meta;
};

class payload_arena;

/// Writes one envelope. Lives on the stack of the publishing call: one thread, no copies.
class envelope_writer {
public:
  /// `type` must outlive every envelope made (it is static storage).
  explicit envelope_writer(const event_type& type);
  ~envelope_writer();
  envelope_writer(const envelope_writer&) = delete;
  envelope_writer& operator=(const envelope_writer&) = delete;

  const event_type& type() const noexcept { return type_; }

  /// The payload: `payload().initAs<T>()`, or a dynamic struct of `type.schema()`. Not touched at
  /// all, it is null and reads as a struct with nothing set.
  capnp::AnyPointer::Builder payload() noexcept;

  /// Puts the header before the payload. Call once; the payload's builders are dead afterwards.
  /// `max_bytes` counts the encoded message. Errors: `too_large`, `bad_topic` (the subject),
  /// `invalid_option` (key or metadata beyond envelope_limits.hpp, or not UTF-8).
  expected<envelope_ptr> finish(const envelope_header& header,
                                std::size_t max_bytes = default_max_envelope_bytes);

  /// How this copy travels. Only while `what` is not shared yet. The envelope calls
  /// `release(tracked_by)` when it dies, on whichever thread lets go last; both may be null.
  static void set_travel(envelope_ptr& what, delivery_level level, time_point expires_at,
                         tracker* tracked_by = nullptr,
                         void (*release)(tracker*) = nullptr) noexcept;

private:
  const event_type& type_;
  payload_arena* arena_;
};

} // namespace edupulse
