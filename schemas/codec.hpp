#pragma once
// The border between bytes and envelopes. Bytes may come from anybody; `decode` is the only way in,
// and nothing that it has not checked reaches a router or a handler. It reads the header and does
// not follow the payload: a handler's reader does that under limits of its own, and a payload that
// breaks them is that event's failure.

#include "schemas/envelope.hpp"
#include "schemas/envelope_limits.hpp"
#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <type_traits>

namespace edupulse {

struct decode_limits {
  /// Of one envelope. Too small: peers with a higher limit lose their large events. Too large: a
  /// peer decides how much memory an event takes here. At most `hard_max_envelope_bytes`.
  std::size_t max_bytes = default_max_envelope_bytes;
};

/// Checks `bytes` and copies them into an envelope; they need no alignment and may go afterwards.
/// Takes time linear in the header, memory for one copy, and nothing when it fails. `type` of the
/// result is null. `before`: one that was decoded before it, or null; a topic equal to its topic is
/// not looked at again. Errors: `too_large`, `malformed`, each naming the rule that is broken.
expected<envelope_ptr> decode(std::span<const std::byte> bytes, const decode_limits& limits = {},
                              const envelope* before = nullptr);

/// The bytes of an envelope, as `decode` takes them. Nothing is copied.
inline std::span<const std::byte> encode(const envelope& what) noexcept {
  return std::as_bytes(what.words());
}

/// `malformed` when the exception is one that Cap'n Proto throws for bytes it cannot follow;
/// nothing for any other. A handler that ends with one has not crashed: its event cannot be read,
/// by anybody, ever.
std::optional<error> payload_fault(const std::exception_ptr& thrown);

/// Runs `body`; what Cap'n Proto throws in it becomes an error with that code. For calls into Cap'n
/// Proto whose failure is the input's fault; any other exception passes through.
expected<void> catching(errc code, void (*body)(void* self), void* self);
template <class F> expected<void> catching(errc code, F&& body) {
  using function = std::remove_reference_t<F>;
  return catching(
      code, [](void* self) { (*static_cast<function*>(self))(); }, &body);
}

} // namespace edupulse
