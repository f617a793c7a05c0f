#include "runtime/transports/rabbitmq_source.hpp"

#include "runtime/transports/times.hpp"
#include <algorithm>
#include <cerrno>

namespace edupulse {

namespace {

using rabbitmq::as_bytes;
using rabbitmq::as_text;
using rabbitmq::channel;

/// Nothing for what is no plain value.
std::optional<std::string> text_of(const amqp_field_value_t& value) {
  switch (value.kind) {
  case AMQP_FIELD_KIND_UTF8:
  case AMQP_FIELD_KIND_BYTES:
    return as_text(value.value.bytes);
  case AMQP_FIELD_KIND_BOOLEAN:
    return value.value.boolean != 0 ? "true" : "false";
  case AMQP_FIELD_KIND_I32:
    return std::to_string(value.value.i32);
  case AMQP_FIELD_KIND_I64:
    return std::to_string(value.value.i64);
  case AMQP_FIELD_KIND_TIMESTAMP:
    return std::to_string(value.value.u64);
  default:
    return std::nullopt;
  }
}

inbound_message message_of(const amqp_envelope_t& from) {
  inbound_message made;
  made.token = from.delivery_tag;
  made.topic = as_text(from.routing_key);
  made.body = as_text(from.message.body);
  const auto& about = from.message.properties;
  if ((about._flags & AMQP_BASIC_CONTENT_TYPE_FLAG) != 0)
    made.content_type = as_text(about.content_type);
  if ((about._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
    made.place = as_text(from.exchange) + "/" + as_text(about.message_id);
  if ((about._flags & AMQP_BASIC_HEADERS_FLAG) != 0)
    for (int i = 0; i < about.headers.num_entries; ++i)
      if (auto value = text_of(about.headers.entries[i].value))
        made.headers.emplace_back(as_text(about.headers.entries[i].key), std::move(*value));
  return made;
}

} // namespace

/// The connection ends here.
tl::unexpected<error> rabbitmq_source::over(tl::unexpected<error> why) {
  from_.reset();
  return why;
}

expected<void> rabbitmq_source::connect(std::string_view client) {
  arrived_.clear();
  open_ = {};
  auto made = rabbitmq::connect(login_, "edupulse source " + std::string(client));
  if (!made)
    return tl::unexpected(std::move(made.error()));
  from_ = std::move(*made);
  auto good = prepare();
  return good ? good : over(tl::unexpected(std::move(good.error())));
}

expected<void> rabbitmq_source::prepare() {
  ::amqp_basic_qos(from_.get(), channel, 0, how_.prefetch, 0);
  if (auto done = rabbitmq::reply(from_); !done)
    return done;
  ::amqp_queue_declare(from_.get(), channel, as_bytes(all_.group), how_.declare ? 0 : 1, 1, 0, 0,
                       amqp_empty_table);
  if (auto done = rabbitmq::reply(from_); !done)
    return done;
  if (auto done = bind(); !done)
    return done;
  ::amqp_basic_consume(from_.get(), channel, as_bytes(all_.group), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
  return rabbitmq::reply(from_);
}

expected<void> rabbitmq_source::bind() {
  if (all_.topics.empty())
    return {};
  ::amqp_exchange_declare(from_.get(), channel, as_bytes(how_.exchange), as_bytes("topic"),
                          how_.declare ? 0 : 1, 1, 0, 0, amqp_empty_table);
  if (auto done = rabbitmq::reply(from_); !done)
    return done;
  for (const auto& topic : all_.topics) {
    ::amqp_queue_bind(from_.get(), channel, as_bytes(all_.group), as_bytes(how_.exchange),
                      as_bytes(topic), amqp_empty_table);
    if (auto done = rabbitmq::reply(from_); !done)
      return done;
  }
  return {};
}

/// What has come, and heartbeats on the way. Waits for the first one.
expected<void> rabbitmq_source::read(duration patience) {
  auto wait = as_timeval(patience);
  for (;;) {
    ::amqp_maybe_release_buffers(from_.get());
    amqp_envelope_t one;
    errno = 0;
    const auto got = ::amqp_consume_message(from_.get(), &one, &wait, 0);
    wait = {};
    if (got.reply_type == AMQP_RESPONSE_NORMAL) {
      open_.push(one.delivery_tag);
      arrived_.push_back(message_of(one));
      ::amqp_destroy_envelope(&one);
      continue;
    }
    if (got.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION)
      return over(rabbitmq::said(rabbitmq::words_of(got.reply)));
    if (got.library_error == AMQP_STATUS_TIMEOUT)
      return {};
    if (got.library_error != AMQP_STATUS_UNEXPECTED_STATE)
      return over(rabbitmq::said(rabbitmq::words_of(got.library_error)));
    if (auto good = see_method(); !good)
      return good;
  }
}

/// Something that is no delivery.
expected<void> rabbitmq_source::see_method() {
  amqp_frame_t frame;
  const timeval now{};
  const int status = ::amqp_simple_wait_frame_noblock(from_.get(), &frame, &now);
  if (status == AMQP_STATUS_TIMEOUT)
    return {};
  if (status != AMQP_STATUS_OK)
    return over(rabbitmq::said(rabbitmq::words_of(status)));
  if (frame.frame_type != AMQP_FRAME_METHOD)
    return {};
  const auto& method = frame.payload.method;
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD || method.id == AMQP_CONNECTION_CLOSE_METHOD)
    return over(rabbitmq::said(rabbitmq::words_of(method)));
  if (method.id == AMQP_BASIC_CANCEL_METHOD)
    return over(rabbitmq::said("queue " + quote(all_.group) + " is gone"));
  return {};
}

expected<std::vector<inbound_message>> rabbitmq_source::receive(duration patience) {
  if (auto good = read(arrived_.empty() ? patience : duration::zero()); !good)
    return tl::unexpected(std::move(good.error()));
  return std::exchange(arrived_, {});
}

expected<void> rabbitmq_source::keep_alive() { return read(duration::zero()); }

expected<void> rabbitmq_source::acknowledge(std::uint64_t tag, bool all_before) {
  errno = 0;
  const int status = ::amqp_basic_ack(from_.get(), channel, tag, all_before ? 1 : 0);
  return status == AMQP_STATUS_OK ? expected<void>()
                                  : over(rabbitmq::said(rabbitmq::words_of(status)));
}

/// One word for all up to the first that is still open, and one for each behind it.
expected<void> rabbitmq_source::acknowledge(std::span<const std::uint64_t> tokens) {
  for (const auto token : tokens)
    open_.done(token);
  const auto all_until = open_.take().value_or(0);
  std::uint64_t last = 0; // of these: the broker knows none that it was told of before
  for (const auto token : tokens)
    if (token <= all_until)
      last = std::max(last, token);
    else if (auto good = acknowledge(token, false); !good)
      return good;
  return last == 0 ? expected<void>() : acknowledge(last, true);
}

expected<source_ptr> make_rabbitmq_source(const broker_url& url, setting_reader& settings,
                                          source_settings all) {
  auto login = rabbitmq_login::read(url, settings, all.times);
  if (!login)
    return tl::unexpected(std::move(login.error()));
  rabbitmq_source_options how;
  how.exchange = settings.text("exchange", how.exchange);
  how.declare = settings.flag("declare", how.declare);
  how.prefetch = static_cast<std::uint16_t>(settings.number("prefetch", how.prefetch, 1, 65'535));
  if (!all.from_begin)
    settings.wrong({errc::invalid_option, "setting from: a queue has only what is in it"});
  return source_ptr(
      std::make_unique<rabbitmq_source>(std::move(*login), std::move(how), std::move(all)));
}

} // namespace edupulse
