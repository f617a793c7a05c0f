#pragma once
// One TLS connection without a socket: bytes in, bytes out.
//
//     handshaking --done--> open --close_notify of the peer--> peer_closed
//          |                  |
//          '------error-------'--> failed
//
// The caller moves what a call appends to `wire` to the peer, after an error too: it may be the
// alert that tells the peer why. Memory: OpenSSL's buffers (about 40 KiB while records are on their
// way, next to nothing when idle) and what the caller's own vectors hold.
//
// The end that connects is done before the other end has looked at its certificate. So an open
// session says who the peer is, and not yet that the peer has accepted us: its first message does.

#include "runtime/tls/byte_sink.hpp"
#include "runtime/tls/identity.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace edupulse {

struct tls_material;

struct tls_limits {
  /// Bytes that a peer may send before it is known. More: the session fails. A chain of three
  /// certificates takes about 4 KiB.
  std::size_t handshake_bytes = 32u << 10;
  /// Records under one key before the next key. The limit of AES-GCM is 2^24.5 (RFC 8446, 5.5).
  std::uint64_t records_per_key = 1u << 22;
};

struct tls_peer {
  tls_identity who;
  std::string fingerprint;    ///< of its certificate: SHA-256, hexadecimal
  std::int64_t not_after = 0; ///< of its certificate: Unix time in seconds
};

/// Made by a tls_context, which it may outlive. One thread at a time.
class tls_session {
public:
  enum class state : std::uint8_t { handshaking, open, peer_closed, failed };

  tls_session(tls_session&&) noexcept;
  tls_session& operator=(tls_session&&) noexcept;
  ~tls_session();

  /// The first bytes of the end that connects. Nothing at the other end.
  expected<void> start(byte_sink wire);

  /// Takes all of `from_peer`; appends what it decrypts to at most as many bytes in `plain` (and a
  /// record's rest of up to 16 KiB), and to `wire` what has to be answered. What follows the
  /// close_notify of the peer is dropped.
  /// Errors, for people, after which the session is of no more use: `refused` for a peer that is
  /// not let in or does not let us in, `malformed` for bytes that are not TLS 1.3 or were changed
  /// on their way, `too_large` for a limit.
  expected<void> receive(std::span<const std::byte> from_peer, byte_sink plain, byte_sink wire);

  /// Encrypts. The span may be of any size; large ones are cheaper per byte.
  /// After the peer's close_notify, too: it may still listen.
  /// Errors: `refused` before the handshake is done; what ended the session after that.
  expected<void> send(std::span<const std::byte> plain, byte_sink wire);

  /// Appends close_notify: the peer then knows that it has everything.
  void close(byte_sink wire);

  /// The connection ended. Errors: `io` without a close_notify of the peer: the end may be missing.
  expected<void> end_of_stream() const;

  state now() const noexcept;
  bool is_open() const noexcept { return now() == state::open; }
  /// Null until the session is open.
  const tls_peer* peer() const noexcept;
  /// "TLS_AES_128_GCM_SHA256"; empty until the session is open.
  std::string cipher() const;

private:
  friend class tls_context;
  friend struct tls_material;
  struct engine;
  explicit tls_session(std::unique_ptr<engine> what);
  enum class role : std::uint8_t { client, server };
  static expected<tls_session> make(std::shared_ptr<const tls_material> material, role as,
                                    std::string expected_name, const tls_limits& limits);

  std::unique_ptr<engine> engine_;
};

} // namespace edupulse
