#pragma once
// This node's certificate, key and trust, from files that may be replaced while it runs.
//
// What comes out is TLS 1.3 with a certificate required from both ends. A session is always a full
// handshake: no tickets, no resumption, no early data. What would make a handshake cheaper would
// also let a node in whose certificate was revoked since.

#include "runtime/tls/files.hpp"
#include "runtime/tls/identity.hpp"
#include "runtime/tls/tls_session.hpp"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace edupulse {

struct tls_files {
  std::filesystem::path ca; ///< the authorities that are trusted, PEM; two while they change over
  std::filesystem::path chain; ///< this node's certificate, then those between it and the CA
  std::filesystem::path key;   ///< of the certificate, without a passphrase, mode 0600 or 0400
  std::filesystem::path crl;   ///< what is revoked, a list of each authority; empty: nothing is
  std::string cluster;         ///< both ends' certificates must be of this one

  /// As `edupulse-pki issue` lays them out: ca.crt, node.crt, node.key and ca.crl.
  static tls_files in(const std::filesystem::path& directory, std::string cluster);
};

/// Unix time in seconds; called on any thread. Tests give their own.
using wall_clock = std::function<std::int64_t()>;

/// Any thread.
class tls_context {
public:
  /// Errors name the file and say what to do: `io` when it cannot be read, `refused` when it is
  /// damaged, expired, not yet valid, revoked, of another cluster, open to others (the key), or
  /// does not fit the others; `invalid_option` for the name of the cluster.
  static expected<std::unique_ptr<tls_context>> open(tls_files files, wall_clock now = {});
  ~tls_context();

  /// For the end that connects. With `expected_name`, only the node of that name is accepted.
  /// Errors: `io` when there is no memory.
  expected<tls_session> connect(std::string expected_name = {}, tls_limits limits = {}) const;
  /// For the end that was connected to. Errors as above.
  expected<tls_session> accept(tls_limits limits = {}) const;

  /// Whether a file is not the one in use any more. Four calls of stat(2).
  bool changed() const;
  /// Reads all files again. On an error, as of `open`, what was in use stays in use; `changed` goes
  /// on to be true, so that the caller tries again. A certificate with another node's name is
  /// refused too. Sessions that exist keep what they began with.
  expected<void> reload();

  /// Whether the peer of an open session may stay: asked after a reload (a new CRL or CA), and from
  /// time to time, since its certificate may have expired. A CRL that has expired lets nobody in
  /// any more, but is no verdict on those who are: a forgotten file must not tear a cluster apart.
  /// Errors: `refused`, with the reason, upon which the owner closes the session.
  /// Called where the session is used. A fraction of a millisecond.
  expected<void> still_valid(const tls_session& session) const;

  tls_identity self() const;
  /// The earliest end of what is in use: this node's certificate or a CRL. Unix time in seconds.
  std::int64_t not_after() const;
  /// Seconds until then; negative afterwards.
  std::int64_t expires_in() const { return not_after() - now_(); }

private:
  tls_context(tls_files files, wall_clock now);
  std::shared_ptr<const tls_material> current() const;

  const tls_files files_;
  const wall_clock now_;
  mutable std::mutex mutex_; ///< guards the pointer; never held with a call into OpenSSL
  std::shared_ptr<const tls_material> material_;
};

} // namespace edupulse
