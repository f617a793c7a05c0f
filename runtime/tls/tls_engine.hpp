#pragma once
// The inside of a session. OpenSSL reads from the caller's span and writes to the caller's vector
// through a BIO of ours: the bytes are copied once less each way than through memory BIOs.

#include "runtime/tls/openssl.hpp"
#include "runtime/tls/tls_session.hpp"
#include <optional>

namespace edupulse {

struct tls_session::engine {
  engine(std::shared_ptr<const tls_material> from, std::string name, const tls_limits& with)
      : material(std::move(from)), expected_name(std::move(name)), limits(with) {}

  /// Null when there is no memory.
  static std::unique_ptr<engine> make(std::shared_ptr<const tls_material> material,
                                      std::string expected_name, const tls_limits& limits,
                                      bool server);

  // -- what a call does, with `input` and `output` set ----------------------------------
  expected<void> shake_hands();
  expected<void> decrypt(byte_sink plain);
  expected<void> encrypt(std::span<const std::byte> plain);
  tl::unexpected<error> give_up(int result);
  error describe(int result);
  std::optional<tls_peer> peer_of_handshake() const;

  // -- what OpenSSL calls ---------------------------------------------------------------
  static int verify(X509_STORE_CTX* check, void* unused) noexcept;
  static const BIO_METHOD* bio_methods();
  int read(char* to, std::size_t room, std::size_t* got);
  int write(const char* from, std::size_t count) noexcept;
  static void see_message(int written, int version, int type, const void* bytes, std::size_t count,
                          SSL* ssl, void* self) noexcept;

  const std::shared_ptr<const tls_material> material; // also keeps what `verify` uses
  const std::string expected_name;
  const tls_limits limits;

  std::span<const std::byte> input;
  byte_sink* output = nullptr; ///< null outside of calls

  state at = state::handshaking;
  std::optional<error> failure;
  std::optional<tls_identity> seen; ///< who the peer's certificate says it is, once verified
  std::optional<error> refusal;     ///< why it was not
  std::optional<tls_peer> peer;

  std::size_t handshake_bytes = 0; ///< received
  bool too_much = false;           ///< a limit was met
  std::uint32_t idle_messages = 0; ///< of the handshake kind, since data came
  std::uint64_t records_sent = 0;  ///< under the key in use

  ossl::session_ptr ssl; // last: it goes first, and may call back
};

} // namespace edupulse
