#pragma once
// Owners for OpenSSL's objects, and its errors as text. Included by the sources of this directory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::ossl {

template <auto Free> struct freed_by {
  template <class T> void operator()(T* what) const noexcept { Free(what); }
};
template <class T, auto Free> using owner = std::unique_ptr<T, freed_by<Free>>;

using bio_ptr = owner<BIO, BIO_free>;
using bignum_ptr = owner<BIGNUM, BN_free>;
using certificate_ptr = owner<X509, X509_free>;
using crl_ptr = owner<X509_CRL, X509_CRL_free>;
using key_ptr = owner<EVP_PKEY, EVP_PKEY_free>;
using store_ptr = owner<X509_STORE, X509_STORE_free>;
using verification_ptr = owner<X509_STORE_CTX, X509_STORE_CTX_free>;
using context_ptr = owner<SSL_CTX, SSL_CTX_free>;
using session_ptr = owner<SSL, SSL_free>;
using integer_ptr = owner<ASN1_INTEGER, ASN1_INTEGER_free>;
using time_ptr = owner<ASN1_TIME, ASN1_TIME_free>;
using names_ptr = owner<GENERAL_NAMES, GENERAL_NAMES_free>;
using extension_ptr = owner<X509_EXTENSION, X509_EXTENSION_free>;
using revoked_ptr = owner<X509_REVOKED, X509_REVOKED_free>;

using certificates = std::vector<certificate_ptr>;

/// The reason that this thread's error queue gives first; empties the queue. "no reason given"
/// without one.
std::string reason();

/// Reads `text`, which must outlive it.
bio_ptr reader(std::string_view text);
/// What has been written to a memory BIO.
std::string written(BIO* to);

/// "2026-11-24 11:40:57 UTC", or "a date that cannot be read".
std::string date_of(const ASN1_TIME* when);
/// Seconds since 1970; 0 for a date that cannot be read.
std::int64_t unix_of(const ASN1_TIME* when);
/// One line, escaped.
std::string name_of(const X509_NAME* name);
/// Hexadecimal, lower case.
std::string hex(const unsigned char* bytes, std::size_t count);
std::string serial_of(const ASN1_INTEGER* number);

} // namespace edupulse::ossl
