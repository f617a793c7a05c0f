#pragma once
// Frames of membership.capnp to bytes and back. `decode_membership` is the only way in; it checks
// every bound before it uses what is bounded, and costs time and memory linear in the frame, which
// is at most 16 KiB.

#include "schemas/error.hpp"
#include "schemas/membership_frame.hpp"
#include <memory>

namespace edupulse {

/// A decoded frame. Owns the bytes that its views point into; movable, not copied.
struct membership_frame {
  membership_header header;
  membership_message message;
  std::vector<member_update> updates;
  /// Updates in a state of a later version.
  std::uint32_t skipped = 0;

  std::unique_ptr<std::uint64_t[]> words;
};

/// `bytes` need no alignment and may go afterwards. Errors: `too_large`, `malformed`, naming the
/// rule that is broken.
expected<membership_frame> decode_membership(std::span<const std::byte> bytes);

/// What a profile has to be: name and address of 1 to 255 bytes, the name UTF-8, the address
/// printable ASCII without spaces, metadata of at most 512 bytes. Errors: `malformed`.
expected<void> check_profile(const member_profile_view& what);

/// Writes one frame; says beforehand what fits.
class membership_writer {
public:
  membership_writer(const membership_header& header, const membership_message& message) noexcept;

  /// False when the frame has no room for it. The update's views must last until `finish`.
  bool add(const member_update& what);
  std::size_t update_count() const noexcept { return updates_.size(); }
  /// Another message of the same kind: to number parts that are already filled.
  void amend(const membership_message& message) noexcept { message_ = message; }
  /// A whole number of words, at most `membership_limits::frame_bytes`.
  std::vector<std::byte> finish() const;

private:
  membership_header header_;
  membership_message message_;
  std::vector<member_update> updates_;
  std::size_t words_;
};

} // namespace edupulse
