#include "runtime/tls/tls_context.hpp"
#include "runtime/tls/tls_engine.hpp"
#include "runtime/tls/tls_material.hpp"
#include <chrono>

namespace edupulse {
namespace {

std::int64_t wall_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

} // namespace

tls_files tls_files::in(const std::filesystem::path& directory, std::string cluster) {
  return {directory / "ca.crt", directory / "node.crt", directory / "node.key",
          directory / "ca.crl", std::move(cluster)};
}

// -- files --------------------------------------------------------------------------

tls_context::tls_context(tls_files files, wall_clock now)
    : files_(std::move(files)), now_(std::move(now)) {}

tls_context::~tls_context() = default;

expected<std::unique_ptr<tls_context>> tls_context::open(tls_files files, wall_clock now) {
  if (!is_identity_name(files.cluster))
    return fail(errc::invalid_option,
                "the cluster's name " + quote(files.cluster, 255) +
                    " is not 1 to 255 letters, digits, dots, hyphens and underscores");
  std::unique_ptr<tls_context> made(
      new tls_context(std::move(files), now ? std::move(now) : wall_clock(wall_time)));
  auto material = tls_material::read(made->files_, made->now_);
  if (!material)
    return tl::unexpected(material.error());
  made->material_ = std::move(*material);
  return made;
}

bool tls_context::changed() const { return stamps_of(files_) != current()->stamps; }

expected<void> tls_context::reload() {
  auto fresh = tls_material::read(files_, now_);
  if (!fresh)
    return tl::unexpected(fresh.error());
  const auto before = current();
  if ((*fresh)->self != before->self)
    return fail(errc::refused, "certificate " + files_.chain.string() + " is of the node " +
                                   quote((*fresh)->self.name, 255) + ", and this one is " +
                                   quote(before->self.name, 255) +
                                   ": put its own there, or start the node anew");
  const std::lock_guard guard(mutex_);
  material_ = std::move(*fresh);
  return {};
}

std::shared_ptr<const tls_material> tls_context::current() const {
  const std::lock_guard guard(mutex_);
  return material_;
}

tls_identity tls_context::self() const { return current()->self; }

std::int64_t tls_context::not_after() const { return current()->not_after; }

// -- sessions -----------------------------------------------------------------------

expected<tls_session> tls_context::connect(std::string expected_name, tls_limits limits) const {
  return tls_session::make(current(), tls_session::role::client, std::move(expected_name), limits);
}

expected<tls_session> tls_context::accept(tls_limits limits) const {
  return tls_session::make(current(), tls_session::role::server, {}, limits);
}

expected<void> tls_context::still_valid(const tls_session& session) const {
  const auto& engine = *session.engine_;
  if (!engine.peer)
    return fail(errc::refused, "the session is not open: nobody is known at its other end");
  const auto material = current();
  const int purpose =
      SSL_is_server(engine.ssl.get()) ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;
  const std::string label = "the certificate of node " + quote(engine.peer->who.name, 255);
  return ossl::verify(material->store.get(), SSL_get0_peer_certificate(engine.ssl.get()),
                      SSL_get_peer_cert_chain(engine.ssl.get()),
                      {label, purpose, material->now(), true});
}

} // namespace edupulse
