#include "runtime/tls/tls_material.hpp"
#include "runtime/tls/tls_engine.hpp"
#include <algorithm>
#include <openssl/err.h>
#include <optional>

namespace edupulse {
namespace {

// AES-128 first: as safe for this use, and a quarter faster. All three are TLS 1.3's own.
constexpr const char* ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";

/// Three certificates of an elliptic curve are 3 KiB. Nobody is known yet who sends this much.
constexpr long max_chain_bytes = 12 << 10;
constexpr int max_authorities = 4;

template <class T> tl::unexpected<error> failed(const expected<T>& what) {
  return tl::unexpected(what.error());
}

std::string label_of(const tls_file& file) { return std::string(file.label()); }

/// What was read, before it is put together.
struct parts {
  tls_file ca;
  tls_file chain;
  tls_file key;
  std::optional<tls_file> crl;
};

expected<parts> read_files(const tls_files& files) {
  auto ca = tls_file::read(files.ca, "CA file");
  if (!ca)
    return failed(ca);
  auto chain = tls_file::read(files.chain, "certificate");
  if (!chain)
    return failed(chain);
  auto key = tls_file::read(files.key, "key", secrecy::owner_only);
  if (!key)
    return failed(key);
  std::optional<tls_file> crl;
  if (!files.crl.empty()) {
    auto read = tls_file::read(files.crl, "CRL");
    if (!read)
      return failed(read);
    crl.emplace(std::move(*read));
  }
  return parts{std::move(*ca), std::move(*chain), std::move(*key), std::move(crl)};
}

expected<void> add_authorities(X509_STORE* store, const tls_file& file) {
  auto trusted = ossl::read_certificates({file.text(), file.label()});
  if (!trusted)
    return failed(trusted);
  for (const auto& one : *trusted) {
    if (X509_check_ca(one.get()) == 0)
      return fail(errc::refused, label_of(file) + " holds a certificate that is no authority's (" +
                                     ossl::name_of(X509_get_subject_name(one.get())) +
                                     "): trust the CA, not single nodes");
    if (X509_STORE_add_cert(store, one.get()) != 1)
      return fail(errc::refused, label_of(file) + " cannot be used: " + ossl::reason());
  }
  return {};
}

/// Answers when the first list ends.
expected<std::int64_t> add_revoked(X509_STORE* store, const tls_file& file) {
  auto lists = ossl::read_crls({file.text(), file.label()});
  if (!lists)
    return failed(lists);
  std::int64_t ends = INT64_MAX;
  for (const auto& one : *lists) {
    if (X509_STORE_add_crl(store, one.get()) != 1)
      return fail(errc::refused, label_of(file) + " cannot be used: " + ossl::reason());
    if (const ASN1_TIME* next = X509_CRL_get0_nextUpdate(one.get()))
      ends = std::min(ends, ossl::unix_of(next));
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return ends;
}

/// Nothing older than 1.3, nothing that shortens a handshake, nothing that a peer could switch on.
expected<ossl::context_ptr> make_context(X509_STORE* store) {
  ossl::context_ptr made(SSL_CTX_new(TLS_method()));
  SSL_CTX* context = made.get();
  if (context == nullptr)
    return fail(errc::io, "TLS cannot be set up: " + ossl::reason());
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_clear_options(context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
  // Buffers go when a connection is idle: 34 KiB each, and most are.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, max_chain_bytes);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(context, max_authorities);
  SSL_CTX_set1_cert_store(context, store);
  if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_num_tickets(context, 0) != 1 || SSL_CTX_set_max_early_data(context, 0) != 1 ||
      SSL_CTX_set_ciphersuites(context, ciphers) != 1 ||
      SSL_CTX_set1_groups_list(context, groups) != 1)
    return fail(errc::io, "this build of OpenSSL cannot do TLS 1.3 as asked: " + ossl::reason());
  return made;
}

expected<void> use_pair(SSL_CTX* context, const ossl::certificates& chain, EVP_PKEY* key,
                        const parts& from) {
  X509* leaf = chain.front().get();
  if (X509_check_private_key(leaf, key) != 1) {
    ERR_clear_error();
    return fail(errc::refused, label_of(from.key) + " does not belong to " + label_of(from.chain) +
                                   ": put the two files of one `issue` there");
  }
  bool good =
      SSL_CTX_use_certificate(context, leaf) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
  for (std::size_t i = 1; good && i < chain.size(); ++i)
    good = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  if (!good)
    return fail(errc::refused, label_of(from.chain) + " cannot be used: " + ossl::reason());
  return {};
}

/// What a peer will check, so that the one who can mend it learns first.
expected<void> check_own(X509_STORE* store, const ossl::certificates& chain, std::string_view label,
                         std::int64_t now) {
  const auto free_stack = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
  const std::unique_ptr<STACK_OF(X509), decltype(free_stack)> others(sk_X509_new_null(),
                                                                     free_stack);
  for (std::size_t i = 1; others != nullptr && i < chain.size(); ++i)
    sk_X509_push(others.get(), chain[i].get());
  for (const int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT})
    if (auto good = ossl::verify(store, chain.front().get(), others.get(), {label, purpose, now});
        !good)
      return good;
  return {};
}

} // namespace

std::array<file_stamp, 4> stamps_of(const tls_files& files) noexcept {
  return {stamp_of(files.ca), stamp_of(files.chain), stamp_of(files.key),
          files.crl.empty() ? file_stamp{} : stamp_of(files.crl)};
}

expected<std::shared_ptr<const tls_material>> tls_material::read(const tls_files& files,
                                                                 wall_clock now) {
  ERR_clear_error();
  auto from = read_files(files);
  if (!from)
    return failed(from);
  auto made = std::make_shared<tls_material>();
  made->stamps = {from->ca.stamp(), from->chain.stamp(), from->key.stamp(),
                  from->crl ? from->crl->stamp() : file_stamp{}};
  made->store.reset(X509_STORE_new());
  if (made->store == nullptr)
    return fail(errc::io, "TLS cannot be set up: " + ossl::reason());
  if (auto done = add_authorities(made->store.get(), from->ca); !done)
    return failed(done);
  auto crl_ends = from->crl ? add_revoked(made->store.get(), *from->crl) : INT64_MAX;
  if (!crl_ends)
    return failed(crl_ends);
  const auto chain = ossl::read_certificates({from->chain.text(), from->chain.label()});
  if (!chain)
    return failed(chain);
  const auto key = ossl::read_key({from->key.text(), from->key.label()});
  if (!key)
    return failed(key);
  auto self = ossl::identity_of(chain->front().get());
  if (!self)
    return fail(errc::refused, label_of(from->chain) + " is of no node: " + self.error().text);
  if (self->cluster != files.cluster)
    return fail(errc::refused, label_of(from->chain) + " is of the cluster " +
                                   quote(self->cluster, 255) + ", and this node is to join " +
                                   quote(files.cluster, 255) + ": correct one of the two");
  if (auto good = check_own(made->store.get(), *chain, from->chain.label(), now()); !good)
    return failed(good);
  auto context = make_context(made->store.get());
  if (!context)
    return failed(context);
  SSL_CTX_set_cert_verify_callback(context->get(), tls_session::engine::verify, nullptr);
  if (auto done = use_pair(context->get(), *chain, key->get(), *from); !done)
    return failed(done);
  made->context = std::move(*context);
  made->self = std::move(*self);
  made->not_after = std::min(*crl_ends, ossl::unix_of(X509_get0_notAfter(chain->front().get())));
  made->now = std::move(now);
  return made;
}

} // namespace edupulse
