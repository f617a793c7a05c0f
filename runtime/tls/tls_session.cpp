#include "runtime/tls/tls_session.hpp"
#include "runtime/tls/tls_engine.hpp"
#include "runtime/tls/tls_material.hpp"
#include <algorithm>
#include <ctime>
#include <openssl/err.h>

namespace edupulse {
namespace {

constexpr std::size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;
/// Header, type and tag; rounded up.
constexpr std::size_t record_overhead = 32;
/// How much of a vector is made larger at once while decrypting.
constexpr std::size_t largest_step = 64 << 10;
/// New keys, tickets: each costs us a little, so a peer that sends nothing else is cut.
constexpr std::uint32_t max_idle_messages = 32;
/// Of what we send to strangers. It is also the size of a buffer, and strangers are many.
constexpr long handshake_record_bytes = 4096;

} // namespace

// -- what OpenSSL calls -------------------------------------------------------------

/// Answers as BIO_read_ex does. Without input, the caller is asked to come again.
int tls_session::engine::read(char* to, std::size_t room, std::size_t* got) {
  *got = 0;
  if (idle_messages > max_idle_messages)
    too_much = true;
  std::size_t count = std::min(room, input.size());
  if (at == state::handshaking) {
    count = std::min(count, limits.handshake_bytes - handshake_bytes);
    too_much = too_much || (count == 0 && !input.empty());
    handshake_bytes += count;
  }
  if (too_much || count == 0)
    return 0;
  std::memcpy(to, input.data(), count);
  input = input.subspan(count);
  *got = count;
  return 1;
}

/// No exception may pass through OpenSSL.
int tls_session::engine::write(const char* from, std::size_t count) noexcept {
  if (output == nullptr)
    return 0;
  try {
    output->append({reinterpret_cast<const std::byte*>(from), count});
    return 1;
  } catch (...) {
    return 0;
  }
}

void tls_session::engine::see_message(int written, int, int type, const void* bytes,
                                      std::size_t count, SSL*, void* self) noexcept {
  auto& me = *static_cast<engine*>(self);
  if (written == 0 && type == SSL3_RT_HANDSHAKE && count > 0 && bytes != nullptr &&
      me.at != state::handshaking)
    ++me.idle_messages;
}

const BIO_METHOD* tls_session::engine::bio_methods() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "edupulse");
    if (methods == nullptr)
      return methods;
    BIO_meth_set_read_ex(methods, [](BIO* bio, char* to, std::size_t room, std::size_t* got) {
      auto& me = *static_cast<engine*>(BIO_get_data(bio));
      BIO_clear_retry_flags(bio);
      const int done = me.read(to, room, got);
      if (done == 0 && !me.too_much)
        BIO_set_retry_read(bio);
      return done;
    });
    BIO_meth_set_write_ex(
        methods, [](BIO* bio, const char* from, std::size_t count, std::size_t* taken) {
          BIO_clear_retry_flags(bio);
          const int done = static_cast<engine*>(BIO_get_data(bio))->write(from, count);
          *taken = done == 1 ? count : 0;
          return done;
        });
    BIO_meth_set_ctrl(methods, [](BIO*, int what, long, void*) -> long {
      return what == BIO_CTRL_FLUSH ? 1 : 0;
    });
    return methods;
  }();
  return made;
}

/// In the place of X509_verify_cert, so that who the peer is counts like a signature: a stranger is
/// told so within the handshake, and nothing of it is ever decrypted.
int tls_session::engine::verify(X509_STORE_CTX* check, void*) noexcept {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& me = *static_cast<engine*>(SSL_get_app_data(ssl));
  try {
    X509_STORE_CTX_set_time(check, 0, static_cast<std::time_t>(me.material->now()));
    if (X509_verify_cert(check) != 1) {
      me.refusal = ossl::verification_error(check, "the peer's certificate");
      return 0;
    }
    auto who = ossl::identity_of(X509_STORE_CTX_get0_cert(check));
    std::string wrong;
    if (!who)
      wrong = "the peer's certificate is of no node: " + who.error().text;
    else if (who->cluster != me.material->self.cluster)
      wrong = "the peer is of the cluster " + quote(who->cluster, 255) + ", and we are of " +
              quote(me.material->self.cluster, 255);
    else if (!me.expected_name.empty() && who->name != me.expected_name)
      wrong = "the peer is the node " + quote(who->name, 255) + ", where " +
              quote(me.expected_name, 255) + " was expected: correct its address";
    if (wrong.empty()) {
      me.seen = std::move(*who);
      return 1;
    }
    me.refusal = error{errc::refused, std::move(wrong)};
  } catch (...) {
    me.refusal = error{errc::io, "no memory is left to look at the peer's certificate"};
  }
  X509_STORE_CTX_set_error(check, X509_V_ERR_HOSTNAME_MISMATCH); // it becomes "bad certificate"
  return 0;
}

// -- making one ---------------------------------------------------------------------

std::unique_ptr<tls_session::engine>
tls_session::engine::make(std::shared_ptr<const tls_material> material, std::string expected_name,
                          const tls_limits& limits, bool server) {
  auto* context = material->context.get();
  auto made = std::make_unique<engine>(std::move(material), std::move(expected_name), limits);
  made->ssl.reset(SSL_new(context));
  BIO* bio = bio_methods() == nullptr ? nullptr : BIO_new(bio_methods());
  if (made->ssl == nullptr || bio == nullptr) {
    BIO_free(bio);
    return nullptr;
  }
  SSL* ssl = made->ssl.get();
  BIO_set_data(bio, made.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio); // owns it now
  SSL_set_app_data(ssl, made.get());
  SSL_set_msg_callback(ssl, see_message);
  SSL_set_msg_callback_arg(ssl, made.get());
  SSL_set_max_send_fragment(ssl, handshake_record_bytes);
  if (server)
    SSL_set_accept_state(ssl);
  else
    SSL_set_connect_state(ssl);
  return made;
}

expected<tls_session> tls_session::make(std::shared_ptr<const tls_material> material, role as,
                                        std::string expected_name, const tls_limits& limits) {
  ERR_clear_error();
  auto inside =
      engine::make(std::move(material), std::move(expected_name), limits, as == role::server);
  if (inside == nullptr)
    return fail(errc::io, "no TLS session can be made: " + ossl::reason());
  return tls_session(std::move(inside));
}

tls_session::tls_session(std::unique_ptr<engine> what) : engine_(std::move(what)) {}
tls_session::tls_session(tls_session&&) noexcept = default;
tls_session& tls_session::operator=(tls_session&&) noexcept = default;
tls_session::~tls_session() = default;

// -- what a call does ---------------------------------------------------------------

std::optional<tls_peer> tls_session::engine::peer_of_handshake() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl.get());
  if (!seen || certificate == nullptr)
    return std::nullopt;
  return tls_peer{*seen, ossl::fingerprint_of(certificate),
                  ossl::unix_of(X509_get0_notAfter(certificate))};
}

expected<void> tls_session::engine::shake_hands() {
  const int done = SSL_do_handshake(ssl.get());
  if (done == 1) {
    peer = peer_of_handshake();
    if (!peer) { // cannot be: both ends ask for a certificate
      at = state::failed;
      failure = error{errc::refused, "the peer showed no certificate"};
      return tl::unexpected(*failure);
    }
    at = state::open;
    SSL_set_max_send_fragment(ssl.get(), record_bytes);
    SSL_set_split_send_fragment(ssl.get(), record_bytes); // the first call made this small, too
    return {};
  }
  if (SSL_get_error(ssl.get(), done) == SSL_ERROR_WANT_READ)
    return {};
  return give_up(done);
}

expected<void> tls_session::engine::decrypt(byte_sink plain) {
  std::span<std::byte> room;
  for (;;) {
    if (room.empty())
      room = plain.extend(std::clamp(input.size(), std::size_t{256}, largest_step));
    std::size_t got = 0;
    const int done = SSL_read_ex(ssl.get(), room.data(), room.size(), &got);
    if (done == 1) {
      room = room.subspan(got);
      idle_messages = 0;
      continue;
    }
    plain.cut(room.size());
    switch (SSL_get_error(ssl.get(), done)) {
    case SSL_ERROR_WANT_READ:
      return {};
    case SSL_ERROR_ZERO_RETURN:
      at = state::peer_closed;
      return {};
    default:
      return give_up(done);
    }
  }
}

expected<void> tls_session::engine::encrypt(std::span<const std::byte> plain) {
  const std::size_t records = plain.size() / record_bytes + 1;
  output->reserve(plain.size() + records * record_overhead);
  if (records_sent + records > limits.records_per_key && records_sent > 0) {
    SSL_key_update(ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED); // goes out with the next record
    records_sent = 0;
  }
  records_sent += records;
  std::size_t taken = 0;
  const int done = SSL_write_ex(ssl.get(), plain.data(), plain.size(), &taken);
  if (done == 1)
    return {};
  return give_up(done);
}

tl::unexpected<error> tls_session::engine::give_up(int result) {
  failure = describe(result);
  at = state::failed;
  ERR_clear_error();
  return tl::unexpected(*failure);
}

// -- calls --------------------------------------------------------------------------

expected<void> tls_session::start(byte_sink wire) {
  return SSL_is_server(engine_->ssl.get()) ? expected<void>() : receive({}, wire, wire);
}

expected<void> tls_session::receive(std::span<const std::byte> from_peer, byte_sink plain,
                                    byte_sink wire) {
  auto& me = *engine_;
  if (me.failure)
    return tl::unexpected(*me.failure);
  if (me.at == state::peer_closed)
    return {};
  ERR_clear_error();
  me.input = from_peer;
  me.output = &wire;
  expected<void> done;
  if (me.at == state::handshaking)
    done = me.shake_hands();
  if (done && me.at == state::open && !me.input.empty())
    done = me.decrypt(plain);
  me.input = {};
  me.output = nullptr;
  return done;
}

expected<void> tls_session::send(std::span<const std::byte> plain, byte_sink wire) {
  auto& me = *engine_;
  if (me.failure)
    return tl::unexpected(*me.failure);
  if (me.at == state::handshaking)
    return fail(errc::refused, "the handshake is not done: send when the session is open");
  if (plain.empty())
    return {};
  ERR_clear_error();
  me.output = &wire;
  auto done = me.encrypt(plain);
  me.output = nullptr;
  return done;
}

void tls_session::close(byte_sink wire) {
  auto& me = *engine_;
  if (me.failure || me.at == state::handshaking)
    return;
  ERR_clear_error();
  me.output = &wire;
  SSL_shutdown(me.ssl.get());
  me.output = nullptr;
  ERR_clear_error();
}

expected<void> tls_session::end_of_stream() const {
  if (engine_->failure)
    return tl::unexpected(*engine_->failure);
  if (engine_->at == state::handshaking)
    return fail(errc::io, "the connection ended before the TLS handshake did: the other end gave "
                          "up, or is no node");
  if (engine_->at == state::open)
    return fail(errc::io, "the connection ended without the peer's goodbye: what it sent last may "
                          "be missing");
  return {};
}

tls_session::state tls_session::now() const noexcept { return engine_->at; }

const tls_peer* tls_session::peer() const noexcept {
  return engine_->peer ? &*engine_->peer : nullptr;
}

std::string tls_session::cipher() const {
  const char* name = engine_->peer ? SSL_get_cipher_name(engine_->ssl.get()) : nullptr;
  return name != nullptr ? name : "";
}

} // namespace edupulse
