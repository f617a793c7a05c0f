#pragma once
// Makes what TLS needs: an authority of a cluster, certificates of its nodes, the list of those
// that are revoked. All texts are PEM. Keys are elliptic, P-256; serial numbers are random; files
// and clocks are the caller's business.

#include "runtime/tls/identity.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::pki {

/// Unix time in seconds.
struct period {
  std::int64_t from;
  std::int64_t to;
};

struct key_pair {
  std::string certificate;
  std::string key; ///< PKCS #8, without a passphrase: for its owner's eyes only
  std::string serial;
  std::int64_t not_after;
};

/// A text and what errors call it, such as the path of its file.
struct named_text {
  std::string_view text;
  std::string_view name;
};

/// A certificate that this authority made.
struct issued {
  tls_identity who;
  std::string serial; ///< hexadecimal
  std::int64_t not_after;
};

class authority {
public:
  /// Errors: `invalid_option` for the name of the cluster, `io` when OpenSSL cannot.
  static expected<key_pair> make(const std::string& cluster, const period& valid);
  /// Errors: `refused` for texts that are damaged, or are no authority's of ours.
  static expected<authority> open(named_text certificate, named_text key);
  authority(authority&&) noexcept;
  authority& operator=(authority&&) noexcept;
  ~authority();

  const std::string& cluster() const noexcept;
  std::int64_t not_after() const noexcept;

  /// The certificate ends no later than the authority's own. Errors: `invalid_option` for a name.
  expected<key_pair> issue(const std::string& node, const std::vector<std::string>& dns_names,
                           const period& valid) const;

  /// Errors: `refused` for a certificate that this authority did not sign.
  expected<issued> recognise(named_text certificate) const;

  /// The next list: what was on the `last` one, and the certificates with these serial numbers.
  /// `last` may be empty for the first one only: what it held would be let in again.
  expected<std::string> revoke(named_text last, const std::vector<std::string>& serials,
                               const period& valid) const;
  /// Errors: `refused` for a list that this authority did not sign.
  expected<std::vector<std::string>> revoked(named_text list) const;

private:
  struct inside;
  explicit authority(std::unique_ptr<inside> what);
  std::unique_ptr<inside> inside_;
};

/// What certificates, lists and keys say, in lines for people. Errors: `refused`.
expected<std::string> describe(named_text what, std::int64_t now);

} // namespace edupulse::pki
