#include "tests/support/certificates.hpp"
#include <fstream>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>

namespace edupulse::test {
namespace {

void must(bool good) {
  if (!good)
    throw std::runtime_error("a test's certificates: " + ossl::reason());
}

ossl::integer_ptr random_serial() {
  unsigned char bytes[16];
  must(RAND_bytes(bytes, sizeof bytes) == 1);
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
  const ossl::bignum_ptr number(BN_bin2bn(bytes, sizeof bytes, nullptr));
  return ossl::integer_ptr(BN_to_ASN1_INTEGER(number.get(), nullptr));
}

void add(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const ossl::extension_ptr made(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  must(made != nullptr && X509_add_ext(to, made.get(), -1) == 1);
}

void add_names(X509* to, const std::vector<std::pair<int, std::string>>& names, bool twice) {
  const ossl::names_ptr all(GENERAL_NAMES_new());
  for (const auto& [type, bytes] : names) {
    GENERAL_NAME* one = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    must(ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size())) == 1);
    GENERAL_NAME_set0_value(one, type, text);
    sk_GENERAL_NAME_push(all.get(), one);
  }
  for (int i = 0; i < (twice ? 2 : 1); ++i)
    must(X509_add1_ext_i2d(to, NID_subject_alt_name, all.get(), 0, X509V3_ADD_APPEND) == 1);
}

void add_padding(X509* to, std::size_t bytes) {
  const std::string text(bytes, 'p');
  const std::unique_ptr<ASN1_OCTET_STRING, ossl::freed_by<ASN1_OCTET_STRING_free>> value(
      ASN1_OCTET_STRING_new());
  must(ASN1_OCTET_STRING_set(value.get(), reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size())) == 1);
  const std::unique_ptr<ASN1_OBJECT, ossl::freed_by<ASN1_OBJECT_free>> kind(
      OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1));
  const ossl::extension_ptr made(X509_EXTENSION_create_by_OBJ(nullptr, kind.get(), 0, value.get()));
  must(X509_add_ext(to, made.get(), -1) == 1);
}

void set_times(X509* of, std::int64_t from, std::int64_t to) {
  must(ASN1_TIME_set(X509_getm_notBefore(of), from) != nullptr);
  must(ASN1_TIME_set(X509_getm_notAfter(of), to) != nullptr);
}

/// Signed by `issuer`, or by itself when that is null.
certified make(const certificate_form& form, const certified* issuer) {
  certified made{ossl::certificate_ptr(X509_new()), ossl::key_ptr(EVP_EC_gen("P-256"))};
  X509* it = made.certificate.get();
  must(it != nullptr && made.key != nullptr);
  must(X509_set_version(it, X509_VERSION_3) == 1);
  must(X509_set_serialNumber(it, random_serial().get()) == 1);
  set_times(it, form.not_before, form.not_after);
  must(X509_NAME_add_entry_by_txt(X509_get_subject_name(it), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(form.common_name.c_str()),
                                  -1, -1, 0) == 1);
  X509* above = issuer != nullptr ? issuer->certificate.get() : it;
  must(X509_set_issuer_name(it, X509_get_subject_name(above)) == 1);
  must(X509_set_pubkey(it, made.key.get()) == 1);
  add(it, above, NID_subject_key_identifier, "hash");
  add(it, above, NID_authority_key_identifier, "keyid");
  add(it, above, NID_basic_constraints, form.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add(it, above, NID_key_usage,
      form.authority ? "critical,keyCertSign,cRLSign,digitalSignature"
                     : "critical,digitalSignature");
  if (!form.usage.empty())
    add(it, above, NID_ext_key_usage, form.usage);
  if (!form.names.empty() || form.names_empty)
    add_names(it, form.names, form.names_twice);
  if (form.padding > 0)
    add_padding(it, form.padding);
  EVP_PKEY* signer = issuer != nullptr ? issuer->key.get() : made.key.get();
  must(X509_sign(it, signer, EVP_sha256()) > 0);
  return made;
}

} // namespace

// -- certificates -------------------------------------------------------------------

std::string certified::certificate_pem() const {
  const ossl::bio_ptr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(out.get(), certificate.get()) == 1);
  return ossl::written(out.get());
}

std::string certified::key_pem() const {
  const ossl::bio_ptr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return ossl::written(out.get());
}

certificate_form node_form(const std::string& name, const std::string& cluster) {
  certificate_form form;
  form.names = {{GEN_URI, "edupulse://" + cluster + "/" + name}};
  form.common_name = name.substr(0, 64);
  return form;
}

authority::authority(const std::string& name, certificate_form form) {
  form.authority = true;
  form.usage.clear();
  form.common_name = name;
  self_ = make(form, nullptr);
}

authority authority::below(const std::string& name) const {
  certificate_form form;
  form.authority = true;
  form.usage.clear();
  form.common_name = name;
  return authority(make(form, &self_));
}

certified authority::issue(const certificate_form& form) const { return make(form, &self_); }

std::string authority::revoke(const std::vector<const X509*>& certificates,
                              std::int64_t this_update, std::int64_t next_update) const {
  const ossl::crl_ptr list(X509_CRL_new());
  must(X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1);
  must(X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(self_.certificate.get())) == 1);
  const ossl::time_ptr from(ASN1_TIME_set(nullptr, this_update));
  const ossl::time_ptr to(ASN1_TIME_set(nullptr, next_update));
  must(X509_CRL_set1_lastUpdate(list.get(), from.get()) == 1);
  must(X509_CRL_set1_nextUpdate(list.get(), to.get()) == 1);
  for (const X509* one : certificates) {
    X509_REVOKED* entry = X509_REVOKED_new();
    must(X509_REVOKED_set_serialNumber(
             entry, const_cast<ASN1_INTEGER*>(X509_get0_serialNumber(one))) == 1);
    must(X509_REVOKED_set_revocationDate(entry, from.get()) == 1);
    must(X509_CRL_add0_revoked(list.get(), entry) == 1);
  }
  X509_CRL_sort(list.get());
  must(X509_CRL_sign(list.get(), self_.key.get(), EVP_sha256()) > 0);
  const ossl::bio_ptr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509_CRL(out.get(), list.get()) == 1);
  return ossl::written(out.get());
}

// -- files --------------------------------------------------------------------------

/// By renaming, as they are to be replaced.
void write_file(const std::filesystem::path& file, const std::string& text, int mode) {
  const auto fresh = file.string() + ".new";
  std::ofstream(fresh, std::ios::binary) << text;
  ::chmod(fresh.c_str(), static_cast<mode_t>(mode));
  std::filesystem::rename(fresh, file);
}

node_place::node_place(const authority& ca, const certified& own) {
  put("ca.crt", ca.pem());
  put("ca.crl", ca.revoke({}));
  put(own);
}

void node_place::put(const certified& own) const {
  put("node.crt", own.certificate_pem());
  put("node.key", own.key_pem());
}

expected<std::unique_ptr<tls_context>> node_place::open(std::int64_t now,
                                                        std::string cluster) const {
  return tls_context::open(tls_files::in(dir_.path(), std::move(cluster)), [now] { return now; });
}

std::unique_ptr<tls_context> node_place::must_open(std::int64_t now) const {
  auto opened = open(now);
  if (!opened)
    throw std::runtime_error(to_string(opened.error()));
  return std::move(*opened);
}

// -- stranger -----------------------------------------------------------------------

stranger::stranger(bool accepts, const std::function<void(SSL_CTX*)>& prepare)
    : context_(SSL_CTX_new(accepts ? TLS_server_method() : TLS_client_method())) {
  must(context_ != nullptr);
  if (prepare)
    prepare(context_.get());
  ssl_.reset(SSL_new(context_.get()));
  must(ssl_ != nullptr);
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (accepts)
    SSL_set_accept_state(ssl_.get());
  else
    SSL_set_connect_state(ssl_.get());
}

void stranger::show(const certified& own) {
  must(SSL_use_certificate(ssl_.get(), own.certificate.get()) == 1);
  must(SSL_use_PrivateKey(ssl_.get(), own.key.get()) == 1);
}

std::vector<std::byte> stranger::answer(std::span<const std::byte> bytes) {
  if (!bytes.empty())
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  ERR_clear_error();
  if (!is_open())
    SSL_do_handshake(ssl_.get());
  char ignored[1024];
  while (is_open() && SSL_read(ssl_.get(), ignored, sizeof ignored) > 0)
    continue;
  ERR_clear_error();
  char* data = nullptr;
  BIO* out = SSL_get_wbio(ssl_.get());
  const long size = BIO_get_mem_data(out, &data);
  const auto* first = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> said(first, first + size);
  BIO_reset(out);
  return said;
}

} // namespace edupulse::test
