#include "runtime/transports/rabbitmq_session.hpp"

#include "runtime/transports/times.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

namespace edupulse {

namespace {

using rabbitmq::as_bytes;
using rabbitmq::as_text;
using rabbitmq::channel;
using rabbitmq::words_of;

constexpr std::size_t max_short_string = 255;
/// More than all properties but the headers need.
constexpr std::size_t properties_bytes = 512;

} // namespace

/// The connection ends here; this is why.
tl::unexpected<error> rabbitmq_session::over(const std::string& why) {
  auto ended = rabbitmq::said(why);
  open_.answer_all(outcome::unavailable(ended.value().text));
  to_.reset();
  return ended;
}

expected<void> rabbitmq_session::connect() {
  returning_.clear();
  blocked_.clear();
  auto made = rabbitmq::connect(login_, "edupulse mirror");
  if (!made)
    return tl::unexpected(std::move(made.error()));
  to_ = std::move(*made);
  auto good = prepare();
  if (!good)
    to_.reset();
  return good;
}

expected<void> rabbitmq_session::prepare() {
  if (!how_.exchange.empty()) { // passive: an error when it is not there
    ::amqp_exchange_declare(to_.get(), channel, as_bytes(how_.exchange), as_bytes("topic"),
                            how_.declare ? 0 : 1, 1, 0, 0, amqp_empty_table);
    if (auto done = rabbitmq::reply(to_); !done)
      return done;
  }
  ::amqp_confirm_select(to_.get(), channel);
  return rabbitmq::reply(to_);
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
    headers.push_back(rabbitmq::text_entry(name, value));
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
        as_ms(open_.heard() + login_.ack_timeout - std::chrono::steady_clock::now()) + 1;
    most = most < 0 ? left : std::min(most, left);
    most = std::max<std::int64_t>(most, 0);
  }
  return static_cast<int>(most);
}

/// A broker that confirms slowly is slow; one that confirms nothing is gone.
expected<void> rabbitmq_session::check_deadline() {
  if (open_.empty() || std::chrono::steady_clock::now() - open_.heard() < login_.ack_timeout)
    return {};
  return over(no_confirmation());
}

std::string rabbitmq_session::no_confirmation() const {
  auto words = "no confirmation within " + ms_text(login_.ack_timeout);
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
  auto login = rabbitmq_login::read(url, settings, times);
  if (!login)
    return tl::unexpected(std::move(login.error()));
  rabbitmq_options made;
  made.exchange = settings.text("exchange", made.exchange);
  made.declare = settings.flag("declare", made.declare);
  made.mandatory = settings.flag("mandatory", made.mandatory);
  how.message.header_prefix = "cloudEvents:";
  how.batch = 64; // confirmations are read after each
  return std::make_unique<rabbitmq_session>(std::move(*login), std::move(made));
}

} // namespace edupulse
