#include "runtime/tls/pki.hpp"
#include "runtime/tls/certificate.hpp"
#include <algorithm>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

namespace edupulse::pki {
namespace {

using namespace ossl;

/// X.509's limit for a common name. Who somebody is stands in the URI; this is for people.
constexpr std::size_t max_common_name = 64;

tl::unexpected<error> cannot(std::string_view what) {
  return fail(errc::io, std::string(what) + ": " + reason());
}

pem_text pem(named_text from) { return {from.text, from.name}; }

/// 127 random bits: positive, and never given twice.
integer_ptr random_serial() {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1)
    return nullptr;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40); // as long for all: files sort
  const bignum_ptr number(BN_bin2bn(bytes, sizeof bytes, nullptr));
  return integer_ptr(number == nullptr ? nullptr : BN_to_ASN1_INTEGER(number.get(), nullptr));
}

bool add(X509* to, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const extension_ptr made(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return made != nullptr && X509_add_ext(to, made.get(), -1) == 1;
}

/// Not from a text in OpenSSL's small language, in which a name could say something else.
bool add_names(X509* to, const std::string& uri, const std::vector<std::string>& dns_names) {
  const names_ptr all(GENERAL_NAMES_new());
  const auto push = [&](int type, const std::string& text) {
    GENERAL_NAME* one = GENERAL_NAME_new();
    ASN1_IA5STRING* value = ASN1_IA5STRING_new();
    if (one == nullptr || value == nullptr || all == nullptr)
      return false;
    GENERAL_NAME_set0_value(one, type, value);
    return sk_GENERAL_NAME_push(all.get(), one) > 0 &&
           ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1;
  };
  bool good = push(GEN_URI, uri);
  for (const auto& name : dns_names)
    good = good && push(GEN_DNS, name);
  return good && X509_add1_ext_i2d(to, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

bool fill(X509* certificate, const std::string& common_name, const period& valid, EVP_PKEY* key) {
  const integer_ptr serial = random_serial();
  const auto name = common_name.substr(0, max_common_name);
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  return serial != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1 &&
         X509_set_serialNumber(certificate, serial.get()) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), valid.from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), valid.to) != nullptr &&
         X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, text,
                                    static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_pubkey(certificate, key) == 1;
}

expected<key_pair> written_pair(X509* certificate, EVP_PKEY* key) {
  const bio_ptr first(BIO_new(BIO_s_mem()));
  const bio_ptr second(BIO_new(BIO_s_secmem()));
  if (first == nullptr || second == nullptr || PEM_write_bio_X509(first.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(second.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return cannot("the certificate cannot be written");
  return key_pair{written(first.get()), written(second.get()),
                  serial_of(X509_get0_serialNumber(certificate)),
                  unix_of(X509_get0_notAfter(certificate))};
}

/// `edupulse://CLUSTER` in the certificate of an authority that `make` made; "" in any other.
std::string cluster_of(const X509* certificate) {
  const names_ptr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names.get(), i);
    if (one->type != GEN_URI)
      continue;
    const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.ia5)),
                               static_cast<std::size_t>(ASN1_STRING_length(one->d.ia5)));
    if (uri.starts_with(identity_scheme) && is_identity_name(uri.substr(identity_scheme.size())))
      return std::string(uri.substr(identity_scheme.size()));
  }
  return {};
}

bool is_dns_name(const std::string& name) {
  return is_identity_name(name) && name.front() != '.' && name.front() != '-';
}

} // namespace

struct authority::inside {
  certificate_ptr certificate;
  key_ptr key;
  std::string cluster;
};

authority::authority(std::unique_ptr<inside> what) : inside_(std::move(what)) {}
authority::authority(authority&&) noexcept = default;
authority& authority::operator=(authority&&) noexcept = default;
authority::~authority() = default;

const std::string& authority::cluster() const noexcept { return inside_->cluster; }

std::int64_t authority::not_after() const noexcept {
  return unix_of(X509_get0_notAfter(inside_->certificate.get()));
}

// -- certificates -------------------------------------------------------------------

expected<key_pair> authority::make(const std::string& cluster, const period& valid) {
  if (!is_identity_name(cluster))
    return fail(errc::invalid_option,
                "the cluster's name " + quote(cluster) +
                    " is not 1 to 255 letters, digits, dots, hyphens and underscores");
  ERR_clear_error();
  const key_ptr key(EVP_EC_gen("P-256"));
  const certificate_ptr made(X509_new());
  X509* it = made.get();
  if (key == nullptr || it == nullptr)
    return cannot("no key can be made");
  // A node's certificate has a name behind a slash: an authority's can never be taken for one.
  const std::string uri = std::string(identity_scheme).append(cluster);
  if (!fill(it, "EduPulse CA " + cluster, valid, key.get()) ||
      X509_set_issuer_name(it, X509_get_subject_name(it)) != 1 ||
      !add(it, it, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add(it, it, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add(it, it, NID_subject_key_identifier, "hash") || !add_names(it, uri, {}) ||
      X509_sign(it, key.get(), EVP_sha256()) <= 0)
    return cannot("the authority's certificate cannot be made");
  return written_pair(it, key.get());
}

expected<authority> authority::open(named_text certificate, named_text key) {
  auto chain = read_certificates(pem(certificate));
  if (!chain)
    return tl::unexpected(chain.error());
  auto secret = read_key(pem(key));
  if (!secret)
    return tl::unexpected(secret.error());
  auto made = std::make_unique<inside>();
  made->certificate = std::move(chain->front());
  made->key = std::move(*secret);
  made->cluster = cluster_of(made->certificate.get());
  if (made->cluster.empty() || X509_check_ca(made->certificate.get()) == 0)
    return fail(errc::refused, std::string(certificate.name) +
                                   " is no authority that edupulse-pki made: is it the right "
                                   "directory?");
  if (X509_check_private_key(made->certificate.get(), made->key.get()) != 1) {
    ERR_clear_error();
    return fail(errc::refused, std::string(key.name) + " does not belong to " +
                                   std::string(certificate.name) + ": restore the right one");
  }
  return authority(std::move(made));
}

expected<key_pair> authority::issue(const std::string& node,
                                    const std::vector<std::string>& dns_names,
                                    const period& valid) const {
  if (!is_identity_name(node))
    return fail(errc::invalid_option,
                "the node's name " + quote(node) +
                    " is not 1 to 255 letters, digits, dots, hyphens and underscores");
  for (const auto& name : dns_names)
    if (!is_dns_name(name))
      return fail(errc::invalid_option, quote(name) + " is no DNS name");
  ERR_clear_error();
  X509* above = inside_->certificate.get();
  const key_ptr key(EVP_EC_gen("P-256"));
  const certificate_ptr made(X509_new());
  X509* it = made.get();
  if (key == nullptr || it == nullptr)
    return cannot("no key can be made");
  const period within{valid.from, std::min(valid.to, not_after())};
  if (!fill(it, node, within, key.get()) ||
      X509_set_issuer_name(it, X509_get_subject_name(above)) != 1 ||
      !add(it, above, NID_basic_constraints, "critical,CA:FALSE") ||
      !add(it, above, NID_key_usage, "critical,digitalSignature") ||
      !add(it, above, NID_ext_key_usage, "serverAuth,clientAuth") ||
      !add(it, above, NID_subject_key_identifier, "hash") ||
      !add(it, above, NID_authority_key_identifier, "keyid:always") ||
      !add_names(it, to_uri({cluster(), node}), dns_names) ||
      X509_sign(it, inside_->key.get(), EVP_sha256()) <= 0)
    return cannot("the node's certificate cannot be made");
  return written_pair(it, key.get());
}

expected<issued> authority::recognise(named_text certificate) const {
  const auto chain = read_certificates(pem(certificate));
  if (!chain)
    return tl::unexpected(chain.error());
  X509* it = chain->front().get();
  const bool ours = X509_verify(it, inside_->key.get()) == 1;
  ERR_clear_error();
  if (!ours)
    return fail(errc::refused, std::string(certificate.name) + " was not issued by this authority");
  auto who = identity_of(it);
  if (!who)
    return fail(errc::refused, std::string(certificate.name) + ": " + who.error().text);
  return issued{std::move(*who), serial_of(X509_get0_serialNumber(it)),
                unix_of(X509_get0_notAfter(it))};
}

// -- lists of what is revoked -------------------------------------------------------

namespace {

expected<crl_ptr> read_list(named_text from, EVP_PKEY* signer) {
  auto lists = read_crls(pem(from));
  if (!lists)
    return tl::unexpected(lists.error());
  const bool ours = X509_CRL_verify(lists->front().get(), signer) == 1;
  ERR_clear_error();
  if (!ours)
    return fail(errc::refused, std::string(from.name) +
                                   " was not signed by this authority: restore its last list, or "
                                   "what is revoked would be let in again");
  return std::move(lists->front());
}

integer_ptr number_after(const X509_CRL* last) {
  integer_ptr number(last == nullptr ? nullptr
                                     : static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(
                                           last, NID_crl_number, nullptr, nullptr)));
  ERR_clear_error();
  const bignum_ptr value(number == nullptr ? BN_new() : ASN1_INTEGER_to_BN(number.get(), nullptr));
  if (value == nullptr || BN_add_word(value.get(), 1) != 1)
    return nullptr;
  return integer_ptr(BN_to_ASN1_INTEGER(value.get(), nullptr));
}

bool add_entry(X509_CRL* to, const std::string& serial, std::int64_t when) {
  BIGNUM* parsed = nullptr;
  const bool whole = BN_hex2bn(&parsed, serial.c_str()) == static_cast<int>(serial.size());
  const bignum_ptr value(parsed);
  const integer_ptr number(whole ? BN_to_ASN1_INTEGER(value.get(), nullptr) : nullptr);
  const time_ptr date(ASN1_TIME_set(nullptr, when));
  revoked_ptr entry(X509_REVOKED_new());
  if (number == nullptr || date == nullptr || entry == nullptr ||
      X509_REVOKED_set_serialNumber(entry.get(), number.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), date.get()) != 1 ||
      X509_CRL_add0_revoked(to, entry.get()) != 1)
    return false;
  static_cast<void>(entry.release()); // the list owns it
  return true;
}

/// What `last` holds, and these.
bool fill(X509_CRL* list, X509_CRL* last, const std::vector<std::string>& serials,
          std::int64_t when) {
  STACK_OF(X509_REVOKED)* before = last == nullptr ? nullptr : X509_CRL_get_REVOKED(last);
  std::vector<std::string> there;
  for (int i = 0; i < sk_X509_REVOKED_num(before); ++i) {
    revoked_ptr entry(X509_REVOKED_dup(sk_X509_REVOKED_value(before, i)));
    if (entry == nullptr || X509_CRL_add0_revoked(list, entry.get()) != 1)
      return false;
    there.push_back(serial_of(X509_REVOKED_get0_serialNumber(entry.release())));
  }
  for (const auto& serial : serials)
    if (std::find(there.begin(), there.end(), serial) == there.end())
      if (!add_entry(list, serial, when))
        return false;
  X509_CRL_sort(list);
  return true;
}

} // namespace

expected<std::string> authority::revoke(named_text last, const std::vector<std::string>& serials,
                                        const period& valid) const {
  crl_ptr before;
  if (!last.text.empty()) {
    auto read = read_list(last, inside_->key.get());
    if (!read)
      return tl::unexpected(read.error());
    before = std::move(*read);
  }
  ERR_clear_error();
  const crl_ptr list(X509_CRL_new());
  const time_ptr from(ASN1_TIME_set(nullptr, valid.from));
  const time_ptr to(ASN1_TIME_set(nullptr, valid.to));
  const integer_ptr number = number_after(before.get());
  X509V3_CTX context;
  X509V3_set_ctx(&context, inside_->certificate.get(), nullptr, nullptr, list.get(), 0);
  const extension_ptr key_id(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  const bio_ptr out(BIO_new(BIO_s_mem()));
  X509_CRL* it = list.get();
  if (it == nullptr || from == nullptr || to == nullptr || number == nullptr || key_id == nullptr ||
      out == nullptr || X509_CRL_set_version(it, X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(it, X509_get_subject_name(inside_->certificate.get())) != 1 ||
      X509_CRL_set1_lastUpdate(it, from.get()) != 1 ||
      X509_CRL_set1_nextUpdate(it, to.get()) != 1 || X509_CRL_add_ext(it, key_id.get(), -1) != 1 ||
      X509_CRL_add1_ext_i2d(it, NID_crl_number, number.get(), 0, X509V3_ADD_DEFAULT) != 1 ||
      !fill(it, before.get(), serials, valid.from) ||
      X509_CRL_sign(it, inside_->key.get(), EVP_sha256()) <= 0 ||
      PEM_write_bio_X509_CRL(out.get(), it) != 1)
    return cannot("the list of revoked certificates cannot be made");
  return written(out.get());
}

expected<std::vector<std::string>> authority::revoked(named_text list) const {
  const auto read = read_list(list, inside_->key.get());
  if (!read)
    return tl::unexpected(read.error());
  std::vector<std::string> serials;
  STACK_OF(X509_REVOKED)* all = X509_CRL_get_REVOKED(read->get());
  for (int i = 0; i < sk_X509_REVOKED_num(all); ++i)
    serials.push_back(serial_of(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i))));
  return serials;
}

} // namespace edupulse::pki
