#pragma once
// What a certificate says, and why one was refused, in words.

#include "runtime/tls/identity.hpp"
#include "runtime/tls/openssl.hpp"

namespace edupulse::ossl {

/// The one URI of a node's certificate. Errors: `refused`, when there is none, more than one or one
/// of another form, and for the certificate of an authority.
expected<tls_identity> identity_of(const X509* certificate);

/// SHA-256, hexadecimal.
std::string fingerprint_of(const X509* certificate);

struct pem_text {
  std::string_view text;
  std::string_view file; ///< for errors
};
// Errors: `refused` for what is not PEM, damaged, or holds nothing of the kind.
expected<certificates> read_certificates(pem_text from);
expected<std::vector<crl_ptr>> read_crls(pem_text from);
/// A key with a passphrase is refused: nobody is asked for one.
expected<key_ptr> read_key(pem_text from);

/// Whose certificate is verified, as an error begins: "certificate /etc/x.crt".
struct verified_as {
  std::string_view what;
  int purpose; ///< X509_PURPOSE_SSL_SERVER or X509_PURPOSE_SSL_CLIENT
  std::int64_t now;
  bool old_list_will_do = false; ///< a CRL that has expired still says who is revoked
};
/// The chain from `leaf` over `others` to an authority in `store`, with CRLs when the store holds
/// any. Errors: `refused`.
expected<void> verify(X509_STORE* store, X509* leaf, STACK_OF(X509) * others,
                      const verified_as& how);
/// The error that is left in `failed` by X509_verify_cert.
error verification_error(X509_STORE_CTX* failed, std::string_view what);

} // namespace edupulse::ossl
