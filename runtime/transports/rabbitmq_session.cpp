#include "runtime/transports/rabbitmq_session.hpp"

#include "runtime/transports/broker_factory.hpp"
#include "runtime/transports/times.hpp"
#include <algorithm>
#include <amqp.h>
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

namespace {

constexpr amqp_channel_t channel = 1;
constexpr std::size_t max_short_string = 255;
/// More than all properties but the headers need.
constexpr std::size_t properties_bytes = 512;
constexpr auto farewell = std::chrono::milliseconds(500);

amqp_bytes_t as_bytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

std::string as_text(const amqp_bytes_t& bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

amqp_table_entry_t text_entry(std::string_view name, std::string_view value) {
  amqp_table_entry_t made{as_bytes(name), {}};
  made.value.kind = AMQP_FIELD_KIND_UTF8;
  made.value.value.bytes = as_bytes(value);
  return made;
}

/// `status` of the client library; `errno` says more where it is the system's.
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

} // namespace

void rabbitmq_session::closer::operator()(amqp_connection_state_t_* what) const noexcept {
  ::amqp_destroy_connection(what);
}

/// Says good-bye, if that can be said at once: else the broker logs a connection that broke.
rabbitmq_session::~rabbitmq_session() {
  if (!to_)
    return;
  pollfd line{::amqp_get_sockfd(to_.get()), POLLOUT, 0};
  if (::poll(&line, 1, 0) != 1)
    return;
  const auto most = as_timeval(farewell);
  ::amqp_set_rpc_timeout(to_.get(), &most);
  ::amqp_connection_close(to_.get(), AMQP_REPLY_SUCCESS);
}

/// The connection ends here; this is why.
tl::unexpected<error> rabbitmq_session::over(const std::string& why) {
  auto ended = fail(errc::io, "rabbitmq: " + why);
  open_.answer_all(outcome::unavailable(ended.value().text));
  to_.reset();
  return ended;
}

expected<void> rabbitmq_session::connect() {
  to_.reset(::amqp_new_connection());
  returning_.clear();
  blocked_.clear();
  if (!to_)
    return fail(errc::io, "rabbitmq: out of memory");
  for (const auto step :
       {&rabbitmq_session::open, &rabbitmq_session::log_in, &rabbitmq_session::prepare})
    if (auto done = (this->*step)(); !done)
      return done;
  return {};
}

expected<void> rabbitmq_session::open() {
  auto* socket = how_.tls ? ::amqp_ssl_socket_new(to_.get()) : ::amqp_tcp_socket_new(to_.get());
  if (socket == nullptr)
    return over("out of memory");
  if (how_.tls) {
    ::amqp_ssl_socket_set_verify_peer(socket, 1);
    ::amqp_ssl_socket_set_verify_hostname(socket, 1);
    ::amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    if (::amqp_ssl_socket_set_cacert(socket, how_.ca.c_str()) != AMQP_STATUS_OK)
      return over("no authority can be read from " + quote(how_.ca));
    if (!how_.certificate.empty() && ::amqp_ssl_socket_set_key(socket, how_.certificate.c_str(),
                                                               how_.key.c_str()) != AMQP_STATUS_OK)
      return over("no certificate and its key can be read from " + quote(how_.certificate) +
                  " and " + quote(how_.key));
  }
  const auto most = as_timeval(how_.connect_timeout);
  errno = 0;
  if (const int status =
          ::amqp_socket_open_noblock(socket, how_.at.host.c_str(), how_.at.port, &most);
      status != AMQP_STATUS_OK)
    return over("no connection: " + words_of(status));
  // The client writes with no limit of its own: this one ends a write to a broker that has stopped
  // reading, as it does when it is full.
  const auto limit = static_cast<unsigned>(as_ms(how_.ack_timeout));
  ::setsockopt(::amqp_get_sockfd(to_.get()), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
  ::amqp_set_handshake_timeout(to_.get(), &most);
  ::amqp_set_rpc_timeout(to_.get(), &most);
  return {};
}

expected<void> rabbitmq_session::log_in() {
  amqp_table_entry_t blocked{as_bytes("connection.blocked"), {}};
  blocked.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  blocked.value.value.boolean = 1;
  amqp_table_entry_t capabilities{as_bytes("capabilities"), {}};
  capabilities.value.kind = AMQP_FIELD_KIND_TABLE;
  capabilities.value.value.table = {1, &blocked};
  std::array<amqp_table_entry_t, 2> entries = {text_entry("connection_name", "edupulse mirror"),
                                               capabilities};
  const amqp_table_t properties{entries.size(), entries.data()};
  const auto heartbeat = std::chrono::ceil<std::chrono::seconds>(how_.heartbeat).count();
  const auto reply = ::amqp_login_with_properties(
      to_.get(), how_.vhost.c_str(), 0, AMQP_DEFAULT_FRAME_SIZE, static_cast<int>(heartbeat),
      &properties, AMQP_SASL_METHOD_PLAIN, how_.user.c_str(), how_.password.c_str());
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
    return over(words_of(reply.reply));
  if (reply.reply_type != AMQP_RESPONSE_NORMAL)
    return over("no login: " + words_of(reply.library_error));
  return {};
}

expected<void> rabbitmq_session::last_reply() {
  const auto reply = ::amqp_get_rpc_reply(to_.get());
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
    return over(words_of(reply.reply));
  if (reply.reply_type != AMQP_RESPONSE_NORMAL)
    return over(words_of(reply.library_error));
  return {};
}

expected<void> rabbitmq_session::prepare() {
  ::amqp_channel_open(to_.get(), channel);
  if (auto done = last_reply(); !done)
    return done;
  if (!how_.exchange.empty()) { // passive: an error when it is not there
    ::amqp_exchange_declare(to_.get(), channel, as_bytes(how_.exchange), as_bytes("topic"),
                            how_.declare ? 0 : 1, 1, 0, 0, amqp_empty_table);
    if (auto done = last_reply(); !done)
      return done;
  }
  ::amqp_confirm_select(to_.get(), channel);
  return last_reply();
}

/// Half a message cannot be taken back, so what the client would not encode is found before.
expected<void> rabbitmq_session::check(const broker_message& message) const {
  if (message.topic.size() > max_short_string)
    return fail(errc::too_large, "the routing key " + quote(message.topic) + " has " +
                                     std::to_string(message.topic.size()) +
                                     " bytes, and AMQP allows 255");
  std::size_t bytes = properties_bytes;
  for (const auto& [name, value] : message.headers) {
    if (name.size() > max_short_string)
      return fail(errc::too_large, "the header " + quote(name) + " has a name of " +
                                       std::to_string(name.size()) + " bytes, and AMQP allows 255");
    bytes += name.size() + value.size() + 6;
  }
  const auto most = static_cast<std::size_t>(::amqp_get_frame_max(to_.get()));
  if (bytes > most)
    return fail(errc::too_large, "the headers have about " + std::to_string(bytes) +
                                     " bytes, and the broker allows " + std::to_string(most));
  return {};
}

int rabbitmq_session::publish(const broker_message& message, const envelope& event) {
  std::vector<amqp_table_entry_t> headers;
  headers.reserve(message.headers.size());
  for (const auto& [name, value] : message.headers)
    headers.push_back(text_entry(name, value));
  const auto id = to_string(event.id());
  amqp_basic_properties_t with{};
  with._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  with.content_type = as_bytes(message.content_type);
  with.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  with.message_id = as_bytes(id);
  with.timestamp = static_cast<std::uint64_t>(event.occurred_at_ms() / 1000);
  if (event.name().size() <= max_short_string) {
    with._flags |= AMQP_BASIC_TYPE_FLAG;
    with.type = as_bytes(event.name());
  }
  if (!headers.empty()) {
    with._flags |= AMQP_BASIC_HEADERS_FLAG;
    with.headers = {static_cast<int>(headers.size()), headers.data()};
  }
  errno = 0;
  return ::amqp_basic_publish(to_.get(), channel, as_bytes(how_.exchange), as_bytes(message.topic),
                              how_.mandatory ? 1 : 0, 0, &with, as_bytes(message.body));
}

expected<void> rabbitmq_session::send(std::vector<outgoing> batch) {
  for (auto& one : batch) {
    if (auto good = check(one.message); !good) {
      one.done.complete(outcome::reject(good.error().text));
      continue;
    }
    const auto& event = open_.push(std::move(one.done), std::chrono::steady_clock::now());
    const int status = publish(one.message, event);
    if (status == AMQP_STATUS_OK)
      continue;
    const auto why = status == AMQP_STATUS_SOCKET_ERROR && errno == ETIMEDOUT ? no_confirmation()
                                                                              : words_of(status);
    // The broker may have said why, and what it has taken.
    auto down = read_arrived();
    if (down)
      down = over(why);
    answer_all(batch, outcome::unavailable(down.error().text));
    return down;
  }
  if (auto good = read_arrived(); !good)
    return good;
  return check_deadline();
}

expected<void> rabbitmq_session::wait(int wake) {
  for (;;) {
    // All of it: what the client has in its buffers no poll can see.
    if (auto good = read_arrived(); !good)
      return good;
    if (auto good = check_deadline(); !good)
      return good;
    std::array<pollfd, 2> watched = {
        {{wake, POLLIN, 0}, {::amqp_get_sockfd(to_.get()), POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), patience());
    if (watched[0].revents != 0)
      return {};
  }
}

/// Milliseconds until a confirmation is late or, at the latest, half of the time until a
/// heartbeat is due: the client sends it when it is asked to read.
int rabbitmq_session::patience() const {
  const std::int64_t heartbeat = ::amqp_get_heartbeat(to_.get()) * 500;
  std::int64_t most = heartbeat == 0 ? -1 : heartbeat;
  if (!open_.empty()) {
    const auto left =
        as_ms(open_.heard() + how_.ack_timeout - std::chrono::steady_clock::now()) + 1;
    most = most < 0 ? left : std::min(most, left);
    most = std::max<std::int64_t>(most, 0);
  }
  return static_cast<int>(most);
}

/// A broker that confirms slowly is slow; one that confirms nothing is gone.
expected<void> rabbitmq_session::check_deadline() {
  if (open_.empty() || std::chrono::steady_clock::now() - open_.heard() < how_.ack_timeout)
    return {};
  return over(no_confirmation());
}

std::string rabbitmq_session::no_confirmation() const {
  auto words = "no confirmation within " + ms_text(how_.ack_timeout);
  if (!blocked_.empty())
    words += ": the broker takes nothing at present: " + blocked_;
  return words;
}

/// Without waiting.
expected<void> rabbitmq_session::read_arrived() {
  for (;;) {
    amqp_frame_t frame;
    const timeval now{};
    errno = 0;
    const int status = ::amqp_simple_wait_frame_noblock(to_.get(), &frame, &now);
    if (status == AMQP_STATUS_TIMEOUT)
      return {};
    if (status != AMQP_STATUS_OK)
      return over(words_of(status));
    if (auto good = see(frame); !good)
      return good;
    ::amqp_maybe_release_buffers(to_.get());
  }
}

/// A message that is returned comes as a method, a header and its body, before its confirmation.
expected<void> rabbitmq_session::see(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD)
    return see_method(frame.payload.method);
  if (frame.frame_type == AMQP_FRAME_HEADER) {
    const auto& with =
        *static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
    if ((with._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
      open_.mark_returned(as_text(with.message_id), std::move(returning_));
  }
  return {};
}

expected<void> rabbitmq_session::see_method(const amqp_method_t& method) {
  switch (method.id) {
  case AMQP_BASIC_ACK_METHOD: {
    const auto& ack = *static_cast<const amqp_basic_ack_t*>(method.decoded);
    open_.settle(ack.delivery_tag, ack.multiple != 0, true, std::chrono::steady_clock::now());
    return {};
  }
  case AMQP_BASIC_NACK_METHOD: {
    const auto& nack = *static_cast<const amqp_basic_nack_t*>(method.decoded);
    open_.settle(nack.delivery_tag, nack.multiple != 0, false, std::chrono::steady_clock::now());
    return {};
  }
  case AMQP_BASIC_RETURN_METHOD: {
    const auto& back = *static_cast<const amqp_basic_return_t*>(method.decoded);
    returning_ = as_text(back.reply_text) + ": no queue of exchange " +
                 quote(as_text(back.exchange)) + " takes routing key " +
                 quote(as_text(back.routing_key));
    return {};
  }
  case AMQP_CONNECTION_BLOCKED_METHOD:
    blocked_ = as_text(static_cast<const amqp_connection_blocked_t*>(method.decoded)->reason);
    return {};
  case AMQP_CONNECTION_UNBLOCKED_METHOD:
    blocked_.clear();
    return {};
  case AMQP_CHANNEL_CLOSE_METHOD: {
    // It does not say which message it is about. The first one after an outage is alone.
    const auto code = static_cast<const amqp_channel_close_t*>(method.decoded)->reply_code;
    if (open_.size() == 1 && (code == AMQP_PRECONDITION_FAILED || code == AMQP_CONTENT_TOO_LARGE))
      open_.answer_all(outcome::reject("rabbitmq: " + words_of(method)));
    return over(words_of(method));
  }
  case AMQP_CONNECTION_CLOSE_METHOD:
    return over(words_of(method));
  default:
    return {};
  }
}

expected<std::unique_ptr<broker_session>> make_rabbitmq_session(const broker_url& url,
                                                                setting_reader& settings,
                                                                const broker_times& times,
                                                                broker_options& how) {
  rabbitmq_options made;
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
  made.exchange = settings.text("exchange", made.exchange);
  made.declare = settings.flag("declare", made.declare);
  made.mandatory = settings.flag("mandatory", made.mandatory);
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
  how.message.header_prefix = "cloudEvents:";
  how.batch = 64; // confirmations are read after each
  return std::make_unique<rabbitmq_session>(std::move(made));
}

} // namespace edupulse
