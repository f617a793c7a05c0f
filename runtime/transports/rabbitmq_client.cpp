#include "runtime/transports/rabbitmq_client.hpp"

#include "runtime/transports/times.hpp"
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>

namespace edupulse {

expected<rabbitmq_login> rabbitmq_login::read(const broker_url& url, setting_reader& settings,
                                              const broker_times& times) {
  rabbitmq_login made;
  made.tls = url.scheme == "amqps";
  auto at = only_host(url, made.tls ? 5671 : 5672);
  if (!at)
    return tl::unexpected(std::move(at.error()));
  made.at = std::move(*at);
  if (!url.user.empty()) {
    made.user = url.user;
    made.password = url.password;
  }
  if (!url.path.empty())
    made.vhost = url.path;
  made.heartbeat = settings.span("heartbeat", made.heartbeat);
  if (made.tls) {
    made.ca = settings.text("ca", "/etc/ssl/certs/ca-certificates.crt");
    made.certificate = settings.text("certificate", "");
    made.key = settings.text("key", "");
    if (made.certificate.empty() != made.key.empty())
      settings.wrong({errc::invalid_option, "the settings certificate and key go together"});
  }
  made.connect_timeout = times.connect;
  made.ack_timeout = times.ack;
  return made;
}

namespace rabbitmq {

namespace {

constexpr auto farewell = std::chrono::milliseconds(500);

expected<void> open(const connection& to, const rabbitmq_login& how) {
  auto* socket = how.tls ? ::amqp_ssl_socket_new(to.get()) : ::amqp_tcp_socket_new(to.get());
  if (socket == nullptr)
    return said("out of memory");
  if (how.tls) {
    ::amqp_ssl_socket_set_verify_peer(socket, 1);
    ::amqp_ssl_socket_set_verify_hostname(socket, 1);
    ::amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    if (::amqp_ssl_socket_set_cacert(socket, how.ca.c_str()) != AMQP_STATUS_OK)
      return said("no authority can be read from " + quote(how.ca));
    if (!how.certificate.empty() && ::amqp_ssl_socket_set_key(socket, how.certificate.c_str(),
                                                              how.key.c_str()) != AMQP_STATUS_OK)
      return said("no certificate and its key can be read from " + quote(how.certificate) +
                  " and " + quote(how.key));
  }
  const auto most = as_timeval(how.connect_timeout);
  errno = 0;
  if (const int status =
          ::amqp_socket_open_noblock(socket, how.at.host.c_str(), how.at.port, &most);
      status != AMQP_STATUS_OK)
    return said("no connection: " + words_of(status));
  // The client writes with no limit of its own: this one ends a write to a broker that has stopped
  // reading, as it does when it is full.
  const auto limit = static_cast<unsigned>(as_ms(how.ack_timeout));
  ::setsockopt(::amqp_get_sockfd(to.get()), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
  ::amqp_set_handshake_timeout(to.get(), &most);
  ::amqp_set_rpc_timeout(to.get(), &most);
  return {};
}

expected<void> log_in(const connection& to, const rabbitmq_login& how, const std::string& name) {
  amqp_table_entry_t blocked{as_bytes("connection.blocked"), {}};
  blocked.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  blocked.value.value.boolean = 1;
  amqp_table_entry_t capabilities{as_bytes("capabilities"), {}};
  capabilities.value.kind = AMQP_FIELD_KIND_TABLE;
  capabilities.value.value.table = {1, &blocked};
  std::array<amqp_table_entry_t, 2> entries = {text_entry("connection_name", name), capabilities};
  const amqp_table_t properties{entries.size(), entries.data()};
  const auto heartbeat = std::chrono::ceil<std::chrono::seconds>(how.heartbeat).count();
  const auto reply = ::amqp_login_with_properties(
      to.get(), how.vhost.c_str(), 0, AMQP_DEFAULT_FRAME_SIZE, static_cast<int>(heartbeat),
      &properties, AMQP_SASL_METHOD_PLAIN, how.user.c_str(), how.password.c_str());
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
    return said(words_of(reply.reply));
  if (reply.reply_type != AMQP_RESPONSE_NORMAL)
    return said("no login: " + words_of(reply.library_error));
  return {};
}

} // namespace

tl::unexpected<error> said(const std::string& why) { return fail(errc::io, "rabbitmq: " + why); }

amqp_table_entry_t text_entry(std::string_view name, std::string_view value) {
  amqp_table_entry_t made{as_bytes(name), {}};
  made.value.kind = AMQP_FIELD_KIND_UTF8;
  made.value.value.bytes = as_bytes(value);
  return made;
}

std::string words_of(int status) {
  std::string words = ::amqp_error_string2(status);
  if (status == AMQP_STATUS_SOCKET_ERROR && errno != 0)
    words += ": " + std::generic_category().message(errno);
  return words;
}

std::string words_of(const amqp_method_t& closed) {
  return as_text(closed.id == AMQP_CONNECTION_CLOSE_METHOD
                     ? static_cast<const amqp_connection_close_t*>(closed.decoded)->reply_text
                     : static_cast<const amqp_channel_close_t*>(closed.decoded)->reply_text);
}

expected<void> reply(const connection& from) {
  const auto last = ::amqp_get_rpc_reply(from.get());
  if (last.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
    return said(words_of(last.reply));
  if (last.reply_type != AMQP_RESPONSE_NORMAL)
    return said(words_of(last.library_error));
  return {};
}

expected<connection> connect(const rabbitmq_login& how, const std::string& name) {
  connection made(::amqp_new_connection());
  if (!made)
    return said("out of memory");
  auto good = open(made, how);
  if (good)
    good = log_in(made, how, name);
  if (good) {
    ::amqp_channel_open(made.get(), channel);
    good = reply(made);
  }
  if (!good)
    return tl::unexpected(std::move(good.error()));
  return made;
}

void say_goodbye(connection& to) noexcept {
  if (!to)
    return;
  pollfd line{::amqp_get_sockfd(to.get()), POLLOUT, 0};
  if (::poll(&line, 1, 0) == 1) {
    const auto most = as_timeval(farewell);
    ::amqp_set_rpc_timeout(to.get(), &most);
    ::amqp_connection_close(to.get(), AMQP_REPLY_SUCCESS);
  }
  to.reset();
}

} // namespace rabbitmq

} // namespace edupulse
