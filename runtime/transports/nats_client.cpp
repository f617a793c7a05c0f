#include "runtime/transports/nats_client.hpp"

#include "runtime/transports/times.hpp"
#include <algorithm>

namespace edupulse {

std::string nats_said(std::string_view words) { return "nats: " + std::string(words); }

std::string nats_words(natsStatus status) {
  natsStatus about = NATS_OK;
  const char* text = ::nats_GetLastError(&about);
  return text != nullptr && about == status && *text != '\0' ? text : ::natsStatus_GetText(status);
}

/// Of TLS 1.3 a server hears that there is no certificate of its client when the client takes the
/// handshake for done. The library then misses the answer to its first words, and says only that.
std::string nats_refusal(natsStatus status, const nats_login& how) {
  auto words = nats_words(status);
  if (how.tls && how.certificate.empty() && words.find("PONG") != words.npos)
    words = "the server has hung up after the TLS handshake: does it want a certificate of its "
            "clients (settings `certificate` and `key`)? The client library: " +
            words;
  return nats_said(words);
}

std::string nats_end_of(natsConnection* connection) {
  const char* words = nullptr;
  const auto status = ::natsConnection_GetLastError(connection, &words);
  if (words == nullptr || *words == '\0')
    words = status == NATS_OK ? "the server closed the connection" : ::natsStatus_GetText(status);
  return nats_said(words);
}

expected<nats_login> nats_login::read(const broker_url& url, setting_reader& settings,
                                      const broker_times& times) {
  nats_login made;
  for (std::string_view rest = url.hosts; !rest.empty();) {
    const auto one = rest.substr(0, rest.find(','));
    made.servers.push_back("nats://" + std::string(one));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  if (made.servers.empty())
    return fail(errc::invalid_option, "nats: which host? It looks like nats://host:4222");
  made.user = url.user;
  made.password = url.password;
  made.token = settings.text("token", "");
  made.credentials = settings.text("credentials", "");
  made.tls = settings.flag("tls", false);
  made.ca = settings.text("ca", "");
  made.certificate = settings.text("certificate", "");
  made.key = settings.text("key", "");
  made.connect_timeout = times.connect;
  made.ack_timeout = times.ack;
  return made;
}

expected<nats_options> make_nats_options(const nats_login& how) {
  natsOptions* made = nullptr;
  auto status = ::natsOptions_Create(&made);
  nats_options owned(made);
  const auto set = [&](natsStatus done) { status = status == NATS_OK ? done : status; };
  std::vector<const char*> servers;
  for (const auto& one : how.servers)
    servers.push_back(one.c_str());
  set(::natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())));
  set(::natsOptions_SetName(made, "edupulse"));
  set(::natsOptions_SetAllowReconnect(made, false));
  set(::natsOptions_SetTimeout(made, as_ms(how.connect_timeout)));
  set(::natsOptions_SetWriteDeadline(made, as_ms(how.ack_timeout)));
  set(::natsOptions_SetErrorHandler(
      made, [](natsConnection*, natsSubscription*, natsStatus, void*) {}, nullptr));
  if (!how.token.empty())
    set(::natsOptions_SetToken(made, how.token.c_str()));
  else if (!how.user.empty())
    set(::natsOptions_SetUserInfo(made, how.user.c_str(), how.password.c_str()));
  if (!how.credentials.empty())
    set(::natsOptions_SetUserCredentialsFromFiles(made, how.credentials.c_str(), nullptr));
  if (how.tls)
    set(::natsOptions_SetSecure(made, true));
  if (!how.ca.empty())
    set(::natsOptions_LoadCATrustedCertificates(made, how.ca.c_str()));
  if (!how.certificate.empty())
    set(::natsOptions_LoadCertificatesChain(made, how.certificate.c_str(), how.key.c_str()));
  if (status == NATS_OK)
    return owned;
  return fail(errc::io, nats_said(nats_words(status)));
}

} // namespace edupulse
