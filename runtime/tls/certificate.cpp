#include "runtime/tls/certificate.hpp"
#include <ctime>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace edupulse::ossl {
namespace {

/// Why X509_get_ext_d2i found nothing.
constexpr int extension_missing = -1;
constexpr int extension_twice = -2;

std::string_view text_of(const ASN1_STRING* from) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(from)),
          static_cast<std::size_t>(ASN1_STRING_length(from))};
}

/// Whether the read ended because there is nothing more in the text.
bool at_end() {
  const unsigned long last = ERR_peek_last_error();
  const bool nothing_more =
      ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (nothing_more)
    ERR_clear_error();
  return nothing_more;
}

template <class Pointer, class Read>
expected<std::vector<Pointer>> read_all(pem_text from, std::string_view kind, Read read_one) {
  ERR_clear_error();
  const bio_ptr in = reader(from.text);
  std::vector<Pointer> found;
  while (Pointer one{read_one(in.get())})
    found.push_back(std::move(one));
  const std::string where(from.file);
  if (!at_end())
    return fail(errc::refused, where + " is damaged or not complete (" + reason() +
                                   "): write it again, and put it in place by renaming");
  if (found.empty())
    return fail(errc::refused,
                where + " holds no " + std::string(kind) + " in PEM form: is it the right file?");
  return found;
}

/// OpenSSL would ask on the terminal.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

/// The verification itself has forgotten which list it was.
std::string end_of_crl(X509_STORE_CTX* failed, const X509* certificate) {
  if (certificate == nullptr)
    return {};
  STACK_OF(X509_CRL)* lists = X509_STORE_CTX_get1_crls(failed, X509_get_issuer_name(certificate));
  const X509_CRL* first = sk_X509_CRL_num(lists) > 0 ? sk_X509_CRL_value(lists, 0) : nullptr;
  std::string text;
  if (first != nullptr)
    text = " on " + date_of(X509_CRL_get0_nextUpdate(first));
  sk_X509_CRL_pop_free(lists, X509_CRL_free);
  return text;
}

int forgive_old_list(int good, X509_STORE_CTX* check) {
  return good == 1 || X509_STORE_CTX_get_error(check) == X509_V_ERR_CRL_HAS_EXPIRED ? 1 : 0;
}

struct explanation {
  int code;
  const char* text;
};

constexpr explanation explanations[] = {
    {X509_V_ERR_CERT_REVOKED, "is revoked: issue a new one for a node that may still take part"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "was issued by an authority that is not in the CA file"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "was issued by an authority that is not in the CA file"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "was issued by an authority that is not in the CA file"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "was issued by an authority that is not in the CA file"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "has a signature that its authority did not make"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "is signed by itself: have it issued by the cluster's CA"},
    {X509_V_ERR_INVALID_PURPOSE,
     "may not be used here: its extended key usage must allow server and client"},
    {X509_V_ERR_INVALID_CA, "was issued with a certificate that is no authority's"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "has too many authorities above it"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, "has more authorities above it than their owner allows"},
    {X509_V_ERR_UNABLE_TO_GET_CRL,
     "cannot be checked: the CRL file has no list of its authority; add one"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE,
     "cannot be checked: the CRL has a signature that its authority did not make"},
};

} // namespace

// -- what it says -------------------------------------------------------------------

expected<tls_identity> identity_of(const X509* certificate) {
  auto* asked = const_cast<X509*>(certificate); // it caches what it has parsed
  if (X509_check_ca(asked) != 0)
    return fail(errc::refused, "it is the certificate of an authority, not of a node");
  int status = 0;
  const names_ptr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, &status, nullptr)));
  if (names == nullptr && status == extension_missing)
    return fail(errc::refused, "it has no subject alternative name; edupulse://CLUSTER/NAME is "
                               "asked for");
  if (names == nullptr) {
    ERR_clear_error();
    return fail(errc::refused, status == extension_twice
                                   ? "it has the subject alternative name twice"
                                   : "its subject alternative name cannot be read");
  }
  const ASN1_STRING* uri = nullptr;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type != GEN_URI)
      continue;
    if (uri != nullptr)
      return fail(errc::refused, "it has more than one URI, so that it is not clear who it is");
    uri = one->d.uniformResourceIdentifier;
  }
  if (uri == nullptr)
    return fail(errc::refused, "its subject alternative name has no URI; edupulse://CLUSTER/NAME "
                               "is asked for");
  return parse_identity(text_of(uri));
}

std::string fingerprint_of(const X509* certificate) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  if (X509_digest(certificate, EVP_sha256(), bytes, &count) != 1)
    return {};
  return hex(bytes, count);
}

// -- reading ------------------------------------------------------------------------

expected<certificates> read_certificates(pem_text from) {
  return read_all<certificate_ptr>(from, "certificate", [](BIO* in) {
    return PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
  });
}

expected<std::vector<crl_ptr>> read_crls(pem_text from) {
  return read_all<crl_ptr>(
      from, "CRL", [](BIO* in) { return PEM_read_bio_X509_CRL(in, nullptr, nullptr, nullptr); });
}

expected<key_ptr> read_key(pem_text from) {
  ERR_clear_error();
  bool asked = false;
  key_ptr key(PEM_read_bio_PrivateKey(reader(from.text).get(), nullptr, refuse_passphrase, &asked));
  if (key != nullptr)
    return key;
  const std::string where(from.file);
  const bool nothing = from.text.find("PRIVATE KEY-----") == std::string_view::npos;
  const std::string why = reason();
  if (asked)
    return fail(errc::refused, where + " is locked with a passphrase, which a node cannot ask for: "
                                       "store it without one, readable by its owner only");
  if (nothing)
    return fail(errc::refused, where + " holds no private key in PEM form: is it the right file?");
  return fail(errc::refused, where + " is damaged or not complete (" + why +
                                 "): write it again, and put it in place by renaming");
}

// -- verifying ----------------------------------------------------------------------

error verification_error(X509_STORE_CTX* failed, std::string_view what) {
  const int code = X509_STORE_CTX_get_error(failed);
  const X509* where = X509_STORE_CTX_get_current_cert(failed);
  std::string text(what);
  if (X509_STORE_CTX_get_error_depth(failed) > 0 && where != nullptr)
    text += ": the authority " + name_of(X509_get_subject_name(where)) + " above it";
  switch (code) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    text += " expired on " + date_of(X509_get0_notAfter(where)) + ": issue a new one";
    break;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    text += " is not valid before " + date_of(X509_get0_notBefore(where)) +
            ": compare the clocks of the machines";
    break;
  case X509_V_ERR_CRL_HAS_EXPIRED:
    text += " cannot be checked: the CRL expired" + end_of_crl(failed, where) +
            ": write a new one and hand it out";
    break;
  case X509_V_ERR_CRL_NOT_YET_VALID:
    text += " cannot be checked: the CRL is not valid yet: compare the clocks of the machines";
    break;
  default: {
    const char* known = X509_verify_cert_error_string(code);
    for (const auto& one : explanations)
      if (one.code == code)
        known = one.text;
    text.append(" ").append(known);
  }
  }
  if (where != nullptr && code != X509_V_ERR_CERT_REVOKED)
    text += " (issuer " + name_of(X509_get_issuer_name(where)) + ")";
  return {errc::refused, std::move(text)};
}

expected<void> verify(X509_STORE* store, X509* leaf, STACK_OF(X509) * others,
                      const verified_as& how) {
  const verification_ptr check(X509_STORE_CTX_new());
  if (check == nullptr || X509_STORE_CTX_init(check.get(), store, leaf, others) != 1)
    return fail(errc::io, std::string(how.what) + " cannot be verified: " + reason());
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(check.get());
  X509_VERIFY_PARAM_set_purpose(rules, how.purpose);
  X509_VERIFY_PARAM_set_time(rules, static_cast<std::time_t>(how.now));
  if (how.old_list_will_do)
    X509_STORE_CTX_set_verify_cb(check.get(), forgive_old_list);
  if (X509_verify_cert(check.get()) == 1)
    return {};
  auto why = verification_error(check.get(), how.what);
  ERR_clear_error();
  return tl::unexpected(std::move(why));
}

} // namespace edupulse::ossl
